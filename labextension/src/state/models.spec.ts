import { Client } from '../api/client';
import { Models } from './models';

function modelsOf(client: Partial<Client>): Models {
  return new Models({ models: () => Promise.resolve([]), ...client } as Client);
}

test('a load says how far it is, and ends', async () => {
  const seen: number[] = [];
  const models = modelsOf({
    load: async (_model, _options, progress) => {
      progress(0.5);
      return 'smollm2:2';
    }
  });
  models.loading.changed.connect((_, loading) => {
    seen.push(loading[0]?.progress ?? -1);
  });
  expect(await models.load('smollm2')).toBe('smollm2:2');
  expect(seen).toEqual([0, 0.5, -1]);
});

test('a load that fails says why, until the next one', async () => {
  const load = jest.fn(() => Promise.reject(new Error('too large')));
  const models = modelsOf({ load });
  expect(await models.load('smollm2')).toBeNull();
  expect(models.errors.value.get('smollm2')).toBe('too large');
  load.mockImplementation(() => new Promise(() => undefined));
  void models.load('smollm2');
  expect(models.errors.value.has('smollm2')).toBe(false);
});

test('a load that was stopped is no failure', async () => {
  const models = modelsOf({
    load: (_model, _options, _progress, signal) =>
      new Promise((_, reject) =>
        signal?.addEventListener('abort', () =>
          reject(new DOMException('Stopped.', 'AbortError'))
        )
      )
  });
  const loaded = models.load('smollm2');
  models.loading.value[0]?.cancel?.();
  expect(await loaded).toBeNull();
  expect(models.errors.value.size).toBe(0);
  expect(models.loading.value).toEqual([]);
});

test('a load that somebody else started is shown, and cannot be stopped here', () => {
  const models = modelsOf({});
  const data = { instance_id: 'smollm2', progress: 0.3 };
  models.hear({ kind: 'model_load.progress', data });
  expect(models.loading.value).toEqual([{ name: 'smollm2', progress: 0.3 }]);
  models.hear({ kind: 'model_load.end', data });
  expect(models.loading.value).toEqual([]);
});
