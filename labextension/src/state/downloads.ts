import { Client } from '../api/client';
import { IDownload, INotice } from '../api/types';
import { Observable } from './observable';

/** Jobs of the server: they go on when every page is closed. */
export class Downloads {
  readonly list = new Observable<readonly IDownload[]>([]);

  constructor(private _client: Client) {}

  async refresh(): Promise<void> {
    this.list.set(await this._client.downloads());
  }

  async start(model: string, quantization: string | null): Promise<IDownload> {
    const job = await this._client.download(model, quantization);
    await this.refresh();
    return job;
  }

  async steer(job: string, verb: 'pause' | 'resume' | 'cancel'): Promise<void> {
    await this._client.steerDownload(job, verb);
    await this.refresh();
  }

  /** Those that are not over. */
  get ongoing(): readonly IDownload[] {
    return this.list.value.filter(isOngoing);
  }

  /** A notice is the whole state of a job. */
  hear(notice: INotice): void {
    const job = notice.data as unknown as IDownload;
    if (notice.kind.startsWith('download.') && job.job_id) {
      const others = this.list.value.filter(one => one.job_id !== job.job_id);
      this.list.set([...others, job]);
    }
  }
}

/** May it still change by itself, or be resumed? */
export function isOngoing(download: IDownload): boolean {
  return ['queued', 'downloading', 'paused'].includes(download.state);
}

/** Bytes of all bytes, from 0 to 1; null while the size is not known. */
export function shareOf(download: IDownload): number | null {
  const { downloaded_bytes: done, total_size_bytes: total } = download;
  return total ? Math.min(1, (done ?? 0) / total) : null;
}

/** Seconds until it is there; null if that cannot be said. */
export function secondsLeft(download: IDownload): number | null {
  const {
    bytes_per_second: speed,
    downloaded_bytes: done,
    total_size_bytes: total
  } = download;
  return speed && total ? Math.max(0, total - (done ?? 0)) / speed : null;
}
