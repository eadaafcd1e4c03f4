import { Event } from '@jupyterlab/services';

import { Connection } from '../api/connection';
import { INotice, IStatus } from '../api/types';

/** The schema of what lmnb tells on Jupyter's own event stream. */
export const NOTICE = 'https://events.jupyter.org/lmnb/notice/v1';

/** How long before or after what it tells of a notice may come. */
const GRACE_MS = 2000;

/**
 * What lmnb tells, from Jupyter's event stream, which each page has open anyway.
 *
 * A proxy may not let it through, and nothing says so. But if models came or went and nobody told us,
 * it is deaf: then lmnb's own stream is read, until Jupyter's speaks.
 */
export class Notices {
  /** `missed` is called when models came or went unheard. */
  constructor(
    private _connection: Connection,
    private _hear: (notice: INotice) => void,
    private _missed: () => void
  ) {}

  /** Hear Jupyter's stream to its end. */
  async follow(stream: AsyncIterable<Event.Emission>): Promise<void> {
    for await (const emission of stream) {
      const notice = noticeIn(emission);
      if (notice) {
        this._own?.abort();
        this._told(notice);
      }
    }
  }

  /** Compare what is loaded with the last look; null: the server is lost, and may come back anew. */
  see(status: IStatus | null): void {
    const before = this._loaded;
    const since = this._seenAt - GRACE_MS;
    this._loaded = status && status.loaded.map(one => one.identifier).join();
    this._seenAt = performance.now();
    if (before !== null && status && this._loaded !== before) {
      setTimeout(() => this._check(since), GRACE_MS);
    }
  }

  private _check(since: number): void {
    if (this._heardAt < since) {
      this._missed();
      void this._followOwn();
    }
  }

  private async _followOwn(): Promise<void> {
    if (this._own) {
      return;
    }
    const { signal } = (this._own = new AbortController());
    const events = this._connection.events('api/v1/events', { signal });
    try {
      for await (const { name, data } of events) {
        this._told({ kind: name, data: JSON.parse(data) });
      }
    } catch {
      // Whether the server is lost is seen elsewhere; the next miss tries again.
    } finally {
      this._own = null;
    }
  }

  private _told(notice: INotice): void {
    this._heardAt = performance.now();
    this._hear(notice);
  }

  private _loaded: string | null = null;
  private _seenAt = 0;
  private _heardAt = -Infinity;
  private _own: AbortController | null = null;
}

/** The notice in one of Jupyter's events; null for everybody else's. */
export function noticeIn(emission: Event.Emission): INotice | null {
  const { schema_id: schema, kind, data } = emission;
  if (schema !== NOTICE || typeof kind !== 'string') {
    return null;
  }
  return { kind, data: (data ?? {}) as Record<string, unknown> };
}
