import { Connection } from '../api/connection';
import { isAbort } from '../api/errors';
import { fill } from '../api/fill';
import { ISurroundings, stillHolds, surroundings } from './fill';

/** How completion was set up. */
export interface ICompletionSettings {
  /** Empty: no completion. */
  model: string;
  /** Tokens of the notebook that the model reads. */
  contextTokens: number;
  /** The longest completion. */
  maxTokens: number;
}

/** One completion at a time: the newest. */
export class Completer {
  settings: ICompletionSettings = {
    model: '',
    contextTokens: 1024,
    maxTokens: 96
  };

  constructor(private _connection: Connection) {}

  /** Begin to complete `cell`. What was being written for another place is stopped. */
  begin(
    cell: ISurroundings,
    above: readonly string[],
    below: readonly string[]
  ): AsyncGenerator<string> {
    this.stop();
    const abort = (this._abort = new AbortController());
    this._cell = cell;
    this._written = '';
    return this._write(cell, above, below, abort.signal);
  }

  /** Somebody typed: the cell now is `source`. Ends a completion that no longer fits. */
  typed(source: string): void {
    if (this._cell && !stillHolds(this._cell, this._written, source)) {
      this.stop();
    }
  }

  stop(): void {
    this._abort?.abort();
    this._abort = null;
    this._cell = null;
  }

  /** All that has been written so far, each time that there is more. */
  private async *_write(
    cell: ISurroundings,
    above: readonly string[],
    below: readonly string[],
    signal: AbortSignal
  ): AsyncGenerator<string> {
    const { model, contextTokens, maxTokens } = this.settings;
    const around = surroundings(cell, above, below, contextTokens);
    let written = '';
    try {
      const wish = { model, ...around, tokens: maxTokens };
      for await (const text of fill(this._connection, wish, signal)) {
        written += text;
        if (!signal.aborted) {
          this._written = written;
          yield written;
        }
      }
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) {
        throw error;
      }
    }
  }

  private _abort: AbortController | null = null;
  private _cell: ISurroundings | null = null;
  private _written = '';
}
