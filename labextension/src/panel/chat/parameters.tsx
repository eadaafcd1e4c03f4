import React from 'react';

import { IChatOptions } from '../../api/types';
import { useObservable, usePanel } from '../context';
import { Field } from '../parts/field';

/** The system prompt, and how the model chooses its words. Empty: the model's own way. */
export function Parameters(): JSX.Element {
  const { conversation, trans } = usePanel();
  const system = useObservable(conversation.system);
  const options = useObservable(conversation.options);
  const fields: [keyof IChatOptions, string, number, number][] = [
    ['temperature', trans.__('Temperature'), 2, 0.1],
    ['top_p', trans.__('Top P'), 1, 0.05],
    ['max_tokens', trans.__('Longest answer (tokens)'), 1_000_000, 1]
  ];
  const change = (name: keyof IChatOptions, text: string): void => {
    const { [name]: _, ...others } = options;
    const number = Number(text);
    const given = text !== '' && Number.isFinite(number);
    conversation.options.set(given ? { ...others, [name]: number } : others);
  };
  return (
    <details>
      <summary>{trans.__('System prompt and parameters')}</summary>
      <Field label={trans.__('System prompt')}>
        {id => (
          <textarea
            id={id}
            className="jp-lmnb-input"
            rows={3}
            value={system}
            onChange={event => conversation.system.set(event.target.value)}
          />
        )}
      </Field>
      {fields.map(([name, label, most, step]) => (
        <Field key={name} label={label}>
          {id => (
            <input
              id={id}
              className="jp-lmnb-input"
              type="number"
              min={name === 'max_tokens' ? 1 : 0}
              max={most}
              step={step}
              value={options[name] ?? ''}
              onChange={event => change(name, event.target.value)}
            />
          )}
        </Field>
      ))}
    </details>
  );
}
