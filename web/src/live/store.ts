import type { Frame, Topic } from '../api/types';
import { backoff_ms } from './backoff';
import { initialLive, reduce, type LiveAction, type LiveState } from './reducer';

/** Silence after which the stream is asked again, and after which its connection is given up. */
const askAgainAfter_ms = 10_000;
const giveUpAfter_ms = 20_000;

/** What the store needs of the outside world; tests bring their own. */
export interface LiveOutside {
  open(): WebSocket;
  now(): number;
  chance(): number;
}

/**
 * The one WebSocket of a tab and the state that its frames add up to. Components watch topics; the store subscribes
 * to the union of what is watched, again after each reconnect. It outlives every component; `stop` closes it.
 */
export class LiveStore {
  #state = initialLive;
  #socket: WebSocket | null = null;
  #running = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watchdog: ReturnType<typeof setInterval> | undefined;
  readonly #outside: LiveOutside;
  readonly #listeners = new Set<() => void>();
  readonly #watched = new Map<Topic, number>();

  constructor(outside: LiveOutside) {
    this.#outside = outside;
  }

  readonly snapshot = (): LiveState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#watchdog = setInterval(() => this.#checkSilence(), 1000);
    this.#connect();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#retry);
    clearInterval(this.#watchdog);
    this.#drop();
    this.#dispatch({ type: 'stop' });
  }

  /** Keeps a topic subscribed until the returned function is called. */
  watch(topic: Topic): () => void {
    const watchers = this.#watched.get(topic) ?? 0;
    this.#watched.set(topic, watchers + 1);
    if (watchers === 0) this.#send({ subscribe: [topic] });
    return () => this.#unwatch(topic);
  }

  pause(): void {
    this.#dispatch({ type: 'pause', at: this.#outside.now() });
  }

  /** Subscribing again makes the server send the present picture at once. */
  resume(): void {
    this.#dispatch({ type: 'resume' });
    this.#subscribeAll();
  }

  /** Does not wait for the back-off: the reader pressed the button. */
  retryNow(): void {
    if (this.#running && !this.#socket) this.#connect();
  }

  #unwatch(topic: Topic): void {
    const watchers = (this.#watched.get(topic) ?? 1) - 1;
    if (watchers > 0) {
      this.#watched.set(topic, watchers);
      return;
    }
    this.#watched.delete(topic);
    this.#send({ unsubscribe: [topic] });
    if (topic.startsWith('device:')) this.#dispatch({ type: 'forget_device', id: topic.slice('device:'.length) });
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#dispatch({ type: 'connect' });
    const socket = this.#outside.open();
    this.#socket = socket;
    socket.onopen = () => {
      if (this.#socket !== socket) return;
      this.#dispatch({ type: 'opened', at: this.#outside.now() });
      this.#subscribeAll();
    };
    socket.onmessage = (message: MessageEvent<string>) => {
      if (this.#socket === socket) this.#receive(message.data);
    };
    socket.onclose = () => {
      if (this.#socket === socket) this.#lost();
    };
  }

  #lost(): void {
    this.#drop();
    const wait_ms = backoff_ms(this.#state.attempts, this.#outside.chance());
    const now = this.#outside.now();
    this.#dispatch({ type: 'lost', at: now, retryAt: now + wait_ms });
    this.#retry = setTimeout(() => this.#connect(), wait_ms);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #receive(text: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text) as Frame;
    } catch {
      return; // not ours; the watchdog notices if nothing else comes
    }
    this.#dispatch({ type: 'frame', frame, at: this.#outside.now() });
  }

  #checkSilence(): void {
    if (this.#state.link !== 'open') return;
    const silent_ms = this.#outside.now() - (this.#state.lastFrameAt ?? 0);
    if (silent_ms > giveUpAfter_ms) this.#lost();
    else if (silent_ms > askAgainAfter_ms) this.#subscribeAll();
  }

  #subscribeAll(): void {
    if (this.#watched.size > 0) this.#send({ subscribe: [...this.#watched.keys()] });
  }

  #send(message: object): void {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(message));
  }

  #dispatch(action: LiveAction): void {
    const next = reduce(this.#state, action);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of this.#listeners) listener();
  }
}
