/**
 * Compiles only if the server's description and what the panel reads and writes agree.
 *
 * `openapi.ts` is made of the server's description by the test that compiles this.
 */
import * as types from '../src/api/types';
import { paths } from './openapi';

type Verb = 'get' | 'post' | 'put' | 'delete';

/** The JSON that a route answers. */
type Answer<P extends keyof paths, V extends Verb> = paths[P][V] extends {
  responses: { 200: { content: { 'application/json': infer Json } } };
}
  ? Json
  : never;

/** The JSON that a route takes. */
type Body<P extends keyof paths, V extends Verb> = paths[P][V] extends {
  requestBody: { content: { 'application/json': infer Json } };
}
  ? Json
  : never;

/** Whatever `Given` is can be used as `Needed`. A route that is not there gives `never`. */
type Fits<Given extends Needed, Needed> = [Given] extends [never]
  ? ['no such answer', Needed]
  : true;

const MODELS = '/api/v1/models';
const read = <Given extends Needed, Needed>(
  _: Fits<Given, Needed> extends true ? string : never
): void => undefined;

// What the panel reads
read<Answer<typeof MODELS, 'get'>['models'][number], types.IModel>('models');
read<Answer<'/api/v1/models/estimate', 'post'>, types.IEstimate>('estimate');
read<Answer<'/api/v1/models/search', 'get'>, types.ISearchResult>('search');
read<Answer<'/api/v1/models/settings/{key}', 'get'>, types.ISettings>(
  'settings'
);
read<
  Answer<'/api/v1/models/download', 'get'>['downloads'][number],
  types.IDownload
>('downloads');
read<Answer<'/api/v1/models/download/pause', 'post'>, types.IDownload>('pause');
read<Answer<'/api/v1/server', 'get'>, types.IListener>('server');
read<Answer<'/api/v1/keys', 'get'>['keys'][number], types.IKey>('keys');
read<Answer<'/api/v1/keys', 'post'>, types.INewKey>('new key');
read<Answer<'/api/v1/status', 'get'>, types.IStatus>('status');

// What the panel writes
read<{ instance_id: string }, Body<'/api/v1/models/unload', 'post'>>('unload');
read<{ path: string }, Pick<Body<'/api/v1/models/import', 'post'>, 'path'>>(
  'import'
);
read<
  { model: string; quantization: string },
  Pick<Body<'/api/v1/models/download', 'post'>, 'model' | 'quantization'>
>('download');
read<
  { port: number; cors: boolean; require_key: boolean },
  Body<'/api/v1/server/start', 'post'>
>('start');
