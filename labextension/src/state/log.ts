import { Connection } from '../api/connection';
import { isAbort, messageOf } from '../api/errors';
import { Observable } from './observable';

/** A line of the server's log. */
export interface ILogEntry {
  time?: number | string;
  source?: string;
  kind?: string;
  model?: string | null;
  [more: string]: unknown;
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
    const query = new URLSearchParams({
      source: sources.join(','),
      stream: 'true'
    });
    const path = `api/v1/log?${query}`;
    for await (const event of this._connection.events(path, { signal })) {
      const entry = JSON.parse(event.data) as ILogEntry;
      this.entries.set([...this.entries.value, entry].slice(-KEPT));
    }
  }

  private _abort: AbortController | null = null;
}

/** An entry as a line of text. */
export function lineOf(entry: ILogEntry): string {
  const { time, source, kind, model, message, text, ...more } = entry;
  const said = message ?? text;
  const rest = Object.keys(more).length ? JSON.stringify(more) : '';
  return [clock(time), source, kind, model, said, said ? '' : rest]
    .filter(Boolean)
    .join('  ');
}

function clock(time: number | string | undefined): string {
  if (time === undefined) {
    return '';
  }
  const date = new Date(typeof time === 'number' ? time * 1000 : time);
  return isNaN(date.getTime()) ? '' : date.toTimeString().slice(0, 8);
}
