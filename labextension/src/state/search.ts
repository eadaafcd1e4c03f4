import { Client } from '../api/client';
import { isAbort, messageOf } from '../api/errors';
import { IFound, Sorting } from '../api/types';
import { Observable } from './observable';

const PAUSE_MS = 300;

/** A search on the Hub that follows what is typed. */
export class Search {
  readonly words = new Observable('');
  readonly sort = new Observable<Sorting>('trending');
  readonly found = new Observable<readonly IFound[]>([]);
  /** Where the next page begins; null when there is none. */
  readonly cursor = new Observable<string | null>(null);
  readonly running = new Observable(false);
  readonly error = new Observable<string | null>(null);

  constructor(private _client: Client) {}

  /** What was found before stays until there is something newer. */
  open(): void {
    void this._fetch(null);
  }

  close(): void {
    window.clearTimeout(this._timer);
    this._asked?.abort();
  }

  ask(wish: { words?: string; sort?: Sorting }): void {
    this.words.set(wish.words ?? this.words.value);
    this.sort.set(wish.sort ?? this.sort.value);
    this.running.set(true);
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this._fetch(null), PAUSE_MS);
  }

  async more(): Promise<void> {
    await this._fetch(this.cursor.value);
  }

  private async _fetch(cursor: string | null): Promise<void> {
    this._asked?.abort();
    const asked = (this._asked = new AbortController());
    this.running.set(true);
    this.error.set(null);
    try {
      const page = await this._client.search(
        this.words.value.trim(),
        this.sort.value,
        cursor,
        asked.signal
      );
      this.found.set(
        cursor ? [...this.found.value, ...page.models] : page.models
      );
      this.cursor.set(page.next_cursor);
    } catch (error) {
      if (isAbort(error)) {
        return;
      }
      this.found.set([]);
      this.cursor.set(null);
      this.error.set(messageOf(error));
    }
    this.running.set(false);
  }

  private _timer = 0;
  private _asked: AbortController | null = null;
}
