import { Poll } from '@lumino/polling';

import { Client } from '../api/client';
import { messageOf } from '../api/errors';
import { ILoaded, IStatus } from '../api/types';
import { Observable } from './observable';
import { Speed } from './speed';

const IDLE_MS = 15_000;
const LOADED_MS = 4_000;
const BUSY_MS = 1_500;
const RETRY_MS = 30_000;

/**
 * The server's state, asked for now and then while the page is visible; more often while it computes.
 *
 * Loads and downloads come as notices. How fast a model writes and what it takes changes all the
 * time, and would be too much to tell everybody.
 */
export class Health {
  readonly status = new Observable<IStatus | null>(null);
  /** Why the server cannot be reached; null while it can. */
  readonly lost = new Observable<string | null>(null);
  readonly speed = new Speed();

  constructor(client: Client, healed: () => void) {
    this._poll = new Poll({
      name: 'lmnb:status',
      auto: true,
      standby: 'when-hidden',
      frequency: { interval: IDLE_MS, backoff: true, max: RETRY_MS },
      factory: async () => {
        try {
          const status = await client.status();
          this.speed.see(status, performance.now());
          this.status.set(status);
        } catch (error) {
          this.lost.set(messageOf(error));
          throw error;
        }
        this._poll.frequency = {
          interval: pace(this.status.value?.loaded ?? []),
          backoff: true,
          max: RETRY_MS
        };
        if (this.lost.value !== null) {
          this.lost.set(null);
          healed();
        }
      }
    });
  }

  /** Ask now. */
  async refresh(): Promise<void> {
    await this._poll.refresh();
    await this._poll.tick;
  }

  dispose(): void {
    this._poll.dispose();
  }

  private _poll: Poll;
}

/** Milliseconds until the next look: often only while there is something to see. */
function pace(loaded: readonly ILoaded[]): number {
  if (loaded.length === 0) {
    return IDLE_MS;
  }
  return loaded.some(one => one.running > 0) ? BUSY_MS : LOADED_MS;
}
