import { Connection } from '../api/connection';
import { isAbort, messageOf } from '../api/errors';
import { Observable } from './observable';

/** An entry of the server's log, in LM Studio's shape. */
export interface ILogEntry {
  /** Milliseconds since 1970. */
  timestamp: number;
  data: { type: string; [more: string]: unknown };
}

export type LogSource = 'server' | 'model' | 'runtime';

const KEPT = 500;

/** The server's log while somebody looks at it. */
export class Log {
  readonly entries = new Observable<readonly ILogEntry[]>([]);
  readonly error = new Observable<string | null>(null);

  constructor(private _connection: Connection) {}

  /** Begin anew with these sources. Ends with `close`. */
  open(sources: readonly LogSource[]): void {
    this.close();
    const abort = new AbortController();
    this._abort = abort;
    this.entries.set([]);
    this.error.set(null);
    this._follow(sources, abort.signal).catch(error => {
      if (!isAbort(error) && !abort.signal.aborted) {
        this.error.set(messageOf(error));
      }
    });
  }

  close(): void {
    this._abort?.abort();
    this._abort = null;
  }

  clear(): void {
    this.entries.set([]);
  }

  private async _follow(
    sources: readonly LogSource[],
    signal: AbortSignal
  ): Promise<void> {
    const query = new URLSearchParams({ source: sources.join(',') });
    const ask = { signal };
    const path = `api/v1/log?${query}`;
    const { log } = await this._connection.json<{ log: ILogEntry[] }>(
      path,
      ask
    );
    this.entries.set(log.slice(-KEPT));
    for await (const event of this._connection.events(
      `${path}&stream=true`,
      ask
    )) {
      const entry = JSON.parse(event.data) as ILogEntry;
      this.entries.set([...this.entries.value, entry].slice(-KEPT));
    }
  }

  private _abort: AbortController | null = null;
}

/** An entry as lines of text. */
export function lineOf({ timestamp, data }: ILogEntry): string {
  const { type, modelIdentifier: model } = data;
  const text = data.content ?? data.message ?? data.input ?? data.output ?? '';
  const mark = { 'llm.prediction.input': '→', 'llm.prediction.output': '←' }[
    type
  ];
  const clock = new Date(timestamp).toTimeString().slice(0, 8);
  return [clock, model, mark, text].filter(Boolean).join('  ');
}
