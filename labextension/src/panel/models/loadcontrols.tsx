import React from 'react';

import { LoadOptions } from '../../api/types';
import { LoadForm } from '../../state/loadform';
import { useObservable, usePanel } from '../context';
import { Check, Field } from '../parts/field';
import { Slider } from '../parts/slider';

const CACHE_TYPES = ['f16', 'q8_0', 'q5_1', 'q5_0', 'q4_1', 'q4_0'];
const LEAST_CONTEXT = 256;

/** One control for each thing that people change. */
export function LoadControls(props: {
  form: LoadForm;
  most: number | null;
}): JSX.Element {
  const { lmnb, trans } = usePanel();
  const { form } = props;
  const effective = useObservable(form.effective);
  const set = useObservable(form.set);
  const estimate = useObservable(form.estimate);
  const cores = useObservable(lmnb.health.status)?.machine.cpu_count ?? 1;
  const now: LoadOptions = { ...effective, ...set };
  const number = (name: string, otherwise: number): number =>
    typeof now[name] === 'number' ? now[name] : otherwise;
  const change = (name: string) => (value: LoadOptions[string]) =>
    form.change(name, value);
  const most = props.most ?? estimate?.max_context_length ?? 4096;
  const hasGpu = estimate?.devices.some(device => device.kind === 'gpu');
  const layers = estimate?.layers ?? 0;
  return (
    <>
      <Slider
        label={trans.__('Context length (tokens)')}
        value={number('context_length', Math.min(most, 4096))}
        least={Math.min(LEAST_CONTEXT, most)}
        most={most}
        step={LEAST_CONTEXT}
        change={change('context_length')}
      />
      {hasGpu && layers > 0 && (
        <Slider
          label={trans.__('Layers on the GPU')}
          value={gpuLayers(now.gpu, layers)}
          least={0}
          most={layers}
          change={change('gpu')}
        />
      )}
      <Slider
        label={trans.__('Requests at the same time')}
        value={number('slots', 4)}
        least={1}
        most={16}
        change={change('slots')}
      />
      <details>
        <summary>{trans.__('More')}</summary>
        <Slider
          label={trans.__('Threads')}
          value={number('threads', cores)}
          least={1}
          most={Math.max(cores, number('threads', cores))}
          change={change('threads')}
        />
        <Slider
          label={trans.__('Tokens computed at once')}
          value={number('batch_size', 2048)}
          least={32}
          most={8192}
          step={32}
          change={change('batch_size')}
        />
        {(['cache_type_k', 'cache_type_v'] as const).map(name => (
          <Field
            key={name}
            label={
              name === 'cache_type_k'
                ? trans.__('Type of the cached keys')
                : trans.__('Type of the cached values')
            }
          >
            {id => (
              <select
                id={id}
                className="jp-lmnb-input"
                value={String(now[name] ?? 'f16')}
                onChange={event => form.change(name, event.target.value)}
              >
                {CACHE_TYPES.map(type => (
                  <option key={type}>{type}</option>
                ))}
              </select>
            )}
          </Field>
        ))}
        <Check
          label={trans.__('Flash attention')}
          checked={now.flash_attention !== false}
          change={change('flash_attention')}
        />
        <Check
          label={trans.__('Keep in memory')}
          checked={now.mlock === true}
          change={change('mlock')}
        />
        <Check
          label={trans.__('Map the file into memory')}
          checked={now.mmap !== false}
          change={change('mmap')}
        />
      </details>
    </>
  );
}

/** `off`, `max`, a share of the layers or their number, as their number. */
function gpuLayers(
  gpu: LoadOptions[string] | undefined,
  layers: number
): number {
  if (gpu === 'off') {
    return 0;
  }
  if (typeof gpu !== 'number') {
    return layers;
  }
  return Number.isInteger(gpu)
    ? Math.min(gpu, layers)
    : Math.round(gpu * layers);
}
