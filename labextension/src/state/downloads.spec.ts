import { Client } from '../api/client';
import { IDownload } from '../api/types';
import { Downloads, secondsLeft, shareOf } from './downloads';

const job: IDownload = {
  job_id: 'job_1',
  status: 'downloading',
  state: 'downloading',
  model: 'owner/model',
  repository: 'owner/model',
  total_size_bytes: 1000,
  downloaded_bytes: 250,
  bytes_per_second: 50
};

test('share and time left follow from the bytes', () => {
  expect(shareOf(job)).toBe(0.25);
  expect(secondsLeft(job)).toBe(15);
  expect(shareOf({ ...job, total_size_bytes: null })).toBeNull();
  expect(secondsLeft({ ...job, bytes_per_second: 0 })).toBeNull();
});

test('a notice is the whole state of a job, known or not', () => {
  const downloads = new Downloads({} as Client);
  const hear = (kind: string, state: string): void =>
    downloads.hear({ kind, data: { ...job, state } });
  hear('download.start', 'queued');
  expect(downloads.ongoing).toHaveLength(1);
  hear('download.paused', 'paused');
  expect(downloads.list.value.map(one => one.state)).toEqual(['paused']);
  hear('download.end', 'completed');
  expect(downloads.ongoing).toHaveLength(0);
});

test('a notice about something else is none about a download', () => {
  const downloads = new Downloads({} as Client);
  downloads.hear({ kind: 'model_unload', data: { instance_id: 'a' } });
  expect(downloads.list.value).toEqual([]);
});
