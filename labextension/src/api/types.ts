/** What the panel reads and writes. `contract.ts` checks it against the server's description. */

/** Of a language model; others have none. */
export interface ICapabilities {
  vision: boolean;
  trained_for_tool_use: boolean;
  reasoning?: unknown;
  fill_in_the_middle: boolean;
}

export interface IInstance {
  id: string;
  config: Record<string, unknown>;
}

export interface IModel {
  type: 'llm' | 'embedding';
  publisher: string;
  key: string;
  display_name: string;
  architecture?: string | null;
  quantization: { name: string | null; bits_per_weight: number | null };
  size_bytes: number;
  params_string: string | null;
  loaded_instances: IInstance[];
  max_context_length: number;
  capabilities?: ICapabilities;
  path: string;
  /** `deletable`: it does not belong to another program. */
  details: { deletable: boolean };
}

/** A loaded model as `status` shows it. */
export interface ILoaded {
  identifier: string;
  model: string;
  state: 'IDLE' | 'PROCESSINGPROMPT' | 'GENERATING';
  size_bytes: number;
  context_length: number;
  memory_bytes: number | null;
  running: number;
  waiting: number;
  /** What its process counts. */
  engine: Record<string, unknown> | null;
}

export interface IStatus {
  version: string;
  base_url: string;
  loaded: ILoaded[];
  machine: {
    cpu_count: number | null;
    memory_total_bytes: number;
    memory_available_bytes: number;
  };
}

/** Load options by their names on the wire. */
export type LoadOptions = Record<string, unknown>;

export interface ISettings {
  /** What is set for the model. */
  settings: LoadOptions;
  /** What a load would take; null: the server decides. */
  effective: LoadOptions;
  /** It is loaded as it was set before, until it is loaded again. */
  needs_reload: boolean;
}

export type Fit = 'full_gpu' | 'partial_gpu' | 'cpu' | 'too_large';

export interface IDevice {
  name: string;
  kind: 'cpu' | 'gpu';
  total_bytes: number;
  free_bytes: number;
  weights_bytes: number;
  kv_cache_bytes: number;
  compute_bytes: number;
  projector_bytes: number;
  total_required_bytes: number;
}

export interface IEstimate {
  model: string;
  load_config: LoadOptions;
  devices: IDevice[];
  total_bytes: number;
  fit: Fit;
  guardrail: { mode: string; allowed: boolean; reason: string | null };
  max_context_length: number | null;
  layers: number | null;
}

export interface IVariant {
  quantization: string | null;
  size_bytes: number | null;
  fit: Fit | null;
  recommended: boolean;
  downloaded: boolean;
}

/** A repository of the Hub. */
export interface IFound {
  id: string;
  name: string;
  publisher: string;
  downloads: number | null;
  likes: number | null;
  updated_at: string | null;
  license: string | null;
  gated: false | 'auto' | 'manual';
  params_string: string | null;
  context_length: number | null;
  url: string;
  recommended: string | null;
  variants: IVariant[];
}

export interface ISearchResult {
  models: IFound[];
  next_cursor: string | null;
}

export type Sorting = 'downloads' | 'likes' | 'trending' | 'updated';

export interface IDownload {
  /** Missing where everything was there already. */
  job_id?: string;
  status: string;
  /** `status` in more words. */
  state: string;
  /** What the model is called here, once it is. */
  key?: string;
  /** As somebody typed it. */
  model?: string;
  repository: string;
  quantization?: string | null;
  total_size_bytes?: number | null;
  downloaded_bytes?: number | null;
  bytes_per_second?: number | null;
  estimated_completion?: string | null;
  problem?: string;
  error?: { message: string };
}

/** The second listener, on a port of its own. */
export interface IListener {
  running: boolean;
  host: string | null;
  port: number | null;
  base_url: string | null;
  cors: boolean;
  key_required: boolean;
  error: string | null;
}

export interface IKey {
  id: string;
  name: string;
  permissions: string[];
  created_at: string | number;
}

/** The only time that the key itself is shown. */
export interface INewKey extends IKey {
  key: string;
}

/** Something that happened in the server. */
export interface INotice {
  kind: string;
  data: Record<string, unknown>;
}

export interface IMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface IChatOptions {
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
}

/** A step of an answer: text, thinking, or at its end what it took. */
export interface IChatStep {
  text?: string;
  thinking?: string;
  finish?: string;
  usage?: { prompt_tokens: number; completion_tokens: number };
  tokensPerSecond?: number;
}
