const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 1,000,000 */
export const integer = (value: number): string => whole.format(value);

/** 950, 9.2k, 61k, 1.25M: for places with room for four characters. */
export function compact(value: number): string {
  const size = Math.abs(value);
  if (size < 1000) return String(Math.round(value));
  const [scaled, unit] = size < 999_500 ? [value / 1e3, 'k'] : size < 999_500_000 ? [value / 1e6, 'M'] : [value / 1e9, 'G'];
  const digits = Math.abs(scaled) < 9.95 ? 1 : 0;
  return scaled.toFixed(unit === 'k' ? digits : digits + 1).replace(/\.0+$/, '') + unit;
}

/** A value with the digits that its size deserves: 0.042, 3.7, 36.8, 412. */
export function measure(value: number): string {
  const size = Math.abs(value);
  const sign = value < 0 ? '−' : '';
  if (size !== 0 && size < 0.1) return sign + size.toPrecision(2);
  if (Number.isInteger(value) || size >= 100) return sign + integer(size);
  return sign + size.toFixed(size < 10 ? 2 : 1);
}

/** 14.3 %; what is not zero is never shown as 0, what is not everything never as 100. */
export function percent(share: number, digits = 1): string {
  const least = 10 ** -digits;
  const value = share * 100;
  if (value > 0 && value < least) return `<${least.toFixed(digits)}%`;
  if (value < 100 && value > 100 - least) return `${(100 - least).toFixed(digits)}%`;
  return `${value.toFixed(value >= 100 ? 0 : digits)}%`;
}

/** The online percentage without its sign, rounded down: 99.996 is not "100". */
export function onlinePercent(online: number, total: number): string {
  if (total === 0) return '0';
  if (online === total) return '100';
  return (Math.floor((online / total) * 10_000) / 100).toFixed(2);
}

/** A number and its unit, apart, so that the unit can be set smaller. */
export type Quantity = [value: string, unit: string];

export function rate(perSecond: number, unit: string): Quantity {
  if (perSecond < 1000) return [perSecond < 10 ? perSecond.toFixed(1) : perSecond.toFixed(0), unit];
  if (perSecond < 1e6) return [(perSecond / 1e3).toFixed(1), `k ${unit}`];
  return [(perSecond / 1e6).toFixed(2), `M ${unit}`];
}

export function bytes(count: number): string {
  if (count < 1000) return `${count.toFixed(0)} B`;
  if (count < 1e6) return `${(count / 1e3).toFixed(1)} KB`;
  if (count < 1e9) return `${(count / 1e6).toFixed(1)} MB`;
  return `${(count / 1e9).toFixed(2)} GB`;
}

export const signed = (value: number): string => (value > 0 ? '+' : value < 0 ? '−' : '±') + integer(Math.abs(value));
