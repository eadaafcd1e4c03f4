import { Client } from '../api/client';
import { IDownload } from '../api/types';
import { Downloads, secondsLeft, shareOf } from './downloads';

const job: IDownload = {
  job_id: 'job_1',
  status: 'downloading',
  model: 'owner/model',
  total_size_bytes: 1000,
  downloaded_bytes: 250,
  bytes_per_second: 50
};

function downloadsOf(...answers: IDownload[][]): Downloads {
  const downloads = jest.fn(() => Promise.resolve(answers.shift() ?? []));
  return new Downloads({ downloads } as unknown as Client);
}

test('share and time left follow from the bytes', () => {
  expect(shareOf(job)).toBe(0.25);
  expect(secondsLeft(job)).toBe(15);
  expect(shareOf({ ...job, total_size_bytes: null })).toBeNull();
  expect(secondsLeft({ ...job, bytes_per_second: 0 })).toBeNull();
});

test('progress is taken as it is told, without asking again', async () => {
  const downloads = downloadsOf([job]);
  await downloads.refresh();
  await downloads.hear({
    kind: 'download.progress',
    data: { job_id: 'job_1', downloaded_bytes: 500 }
  });
  expect(downloads.list.value[0]?.downloaded_bytes).toBe(500);
});

test('everything else is asked for again', async () => {
  const downloads = downloadsOf([job], [{ ...job, status: 'paused' }]);
  await downloads.refresh();
  await downloads.hear({ kind: 'download.paused', data: { job_id: 'job_1' } });
  expect(downloads.list.value[0]?.status).toBe('paused');
  expect(downloads.ongoing).toHaveLength(1);
});
