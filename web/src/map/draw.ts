import { colour } from '../components/theme';
import { compact, percent } from '../format/number';
import { regionName } from '../format/words';
import type { Mark } from './marks';
import { placeLabel, type Box, type Placed } from './placement';

export interface View {
  width: number;
  height: number;
  /** Screen = world × scale + (x, y). */
  scale: number;
  x: number;
  y: number;
}

const palette = () => ({
  sea: colour('sea'),
  land: colour('land'),
  landLine: colour('land-line'),
  panel: colour('panel'),
  text: colour('fg2'),
  strong: colour('fg'),
  ok: colour('ok-fill'),
  bad: colour('bad-fill'),
  badText: colour('bad'),
  unknown: colour('unknown'),
  line: colour('line2'),
});
type Palette = ReturnType<typeof palette>;

export function drawMap(context: CanvasRenderingContext2D, land: Path2D, view: View, marks: Placed<Mark>[], hovered: string | null): void {
  const ratio = window.devicePixelRatio || 1;
  const colours = palette();
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.fillStyle = colours.sea;
  context.fillRect(0, 0, view.width, view.height);
  drawLand(context, land, view, colours);
  for (const mark of marks) drawLeader(context, mark, colours);
  for (const mark of marks) drawMark(context, mark, mark.id === hovered, colours);
  drawLabels(context, marks, view, colours);
}

function drawLand(context: CanvasRenderingContext2D, land: Path2D, view: View, colours: Palette) {
  context.save();
  context.translate(view.x, view.y);
  context.scale(view.scale, view.scale);
  context.fillStyle = colours.land;
  context.strokeStyle = colours.landLine;
  context.lineWidth = 0.8 / view.scale;
  context.lineJoin = 'round';
  context.fill(land);
  context.stroke(land);
  context.restore();
}

/** A mark that had to give way shows where it belongs. */
function drawLeader(context: CanvasRenderingContext2D, mark: Placed<Mark>, colours: Palette) {
  if (Math.hypot(mark.placedX - mark.x, mark.placedY - mark.y) <= mark.radius) return;
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(mark.x, mark.y);
  context.lineTo(mark.placedX, mark.placedY);
  context.stroke();
  context.fillStyle = colours.line;
  circle(context, mark.x, mark.y, 1.5);
  context.fill();
}

function circle(context: CanvasRenderingContext2D, x: number, y: number, radius: number) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

function drawMark(context: CanvasRenderingContext2D, mark: Placed<Mark>, hovered: boolean, colours: Palette) {
  const { placedX: x, placedY: y, radius } = mark;
  const thickness = mark.pinned ? 3.5 : 2;
  if (mark.pinned) {
    context.fillStyle = colours.bad;
    context.globalAlpha = 0.18;
    circle(context, x, y, radius + 6);
    context.fill();
    context.globalAlpha = 1;
  }
  context.fillStyle = colours.panel;
  circle(context, x, y, radius);
  context.fill();
  drawRing(context, mark, radius - thickness / 2, thickness, colours);
  if (hovered) {
    context.strokeStyle = colours.strong;
    context.lineWidth = 1.5;
    circle(context, x, y, radius + 1.5);
    context.stroke();
  }
  drawCount(context, mark, colours);
}

/** The ring is the whole region: offline first from the top, then unknown, the rest online. */
function drawRing(context: CanvasRenderingContext2D, mark: Placed<Mark>, radius: number, thickness: number, colours: Palette) {
  const { counts } = mark.region;
  const known = counts.total || 1;
  const top = -Math.PI / 2;
  const arc = (from: number, to: number, stroke: string, alpha: number) => {
    if (to <= from) return;
    context.globalAlpha = alpha;
    context.strokeStyle = stroke;
    context.lineWidth = thickness;
    context.beginPath();
    context.arc(mark.placedX, mark.placedY, radius, top + from * 2 * Math.PI, top + to * 2 * Math.PI);
    context.stroke();
    context.globalAlpha = 1;
  };
  const offline = counts.offline / known;
  const unseen = (counts.unknown + counts.never_seen) / known;
  arc(0, offline, colours.bad, 1);
  arc(offline, offline + unseen, colours.unknown, 0.8);
  arc(offline + unseen, 1, colours.ok, 0.6);
}

function drawCount(context: CanvasRenderingContext2D, mark: Placed<Mark>, colours: Palette) {
  const text = mark.pinned ? percent(mark.region.offline_share, 0) : compact(mark.region.counts.total);
  const size = mark.pinned ? 10.5 : 10;
  context.font = `600 ${size}px "Inter Variable", sans-serif`;
  if (context.measureText(text).width > 2 * mark.radius - 6) return;
  context.fillStyle = mark.pinned ? colours.badText : colours.text;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.fillText(text, mark.placedX, mark.placedY + 0.5);
}

/** Only what has an incident is named. */
function drawLabels(context: CanvasRenderingContext2D, marks: Placed<Mark>[], view: View, colours: Palette) {
  const labels: Box[] = [];
  const bounds = { x: 4, y: 4, width: view.width - 8, height: view.height - 8 };
  context.font = '600 11px "Inter Variable", sans-serif';
  context.textAlign = 'left';
  context.textBaseline = 'middle';
  for (const mark of marks.filter((candidate) => candidate.pinned)) {
    const text = regionName(mark.id);
    const box = placeLabel(mark, context.measureText(text).width + 10, 18, marks, labels, bounds);
    if (!box) continue;
    labels.push(box);
    context.fillStyle = colours.panel;
    context.globalAlpha = 0.85;
    context.beginPath();
    context.roundRect(box.x, box.y, box.width, box.height, 5);
    context.fill();
    context.globalAlpha = 1;
    context.fillStyle = colours.badText;
    context.fillText(text, box.x + 5, box.y + box.height / 2 + 0.5);
  }
}
