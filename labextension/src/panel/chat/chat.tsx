import React, { KeyboardEvent, useEffect, useState } from 'react';

import { asCell } from '../../state/conversation';
import { rate } from '../../state/format';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Failure } from '../parts/failure';
import { Parameters } from './parameters';
import { Transcript } from './transcript';

/** A few words with a model, to see what it is like. */
export function Chat(): JSX.Element {
  const { conversation, sendToNotebook, trans } = usePanel();
  const model = useObservable(conversation.model);
  const running = useObservable(conversation.running);
  const error = useObservable(conversation.error);
  const turns = useObservable(conversation.turns);
  const [draft, setDraft] = useState('');
  const send = (): void => {
    const text = draft.trim();
    if (text && model && !running) {
      setDraft('');
      void conversation.send(text);
    }
  };
  const keys = (event: KeyboardEvent): void => {
    if (
      event.key === 'Enter' &&
      !event.shiftKey &&
      !event.nativeEvent.isComposing
    ) {
      event.preventDefault();
      send();
    } else if (event.key === 'Escape' && running) {
      conversation.stop();
    }
  };
  const cell = asCell(conversation);
  return (
    <div className="jp-lmnb-chat">
      <ModelChoice />
      <Parameters />
      <Transcript />
      <Failure message={error} />
      <Figures />
      <textarea
        className="jp-lmnb-input"
        rows={3}
        aria-label={trans.__('Message')}
        placeholder={trans.__(
          'A message (Enter sends it, Shift+Enter begins a new line)'
        )}
        value={draft}
        onChange={event => setDraft(event.target.value)}
        onKeyDown={keys}
      />
      <div className="jp-lmnb-actions">
        {running ? (
          <Button label={trans.__('Stop')} action={() => conversation.stop()} />
        ) : (
          <Button
            label={trans.__('Send')}
            kind="primary"
            disabled={!draft.trim() || !model}
            action={send}
          />
        )}
        <Button
          label={trans.__('New')}
          about={trans.__('conversation')}
          disabled={turns.length === 0}
          action={() => conversation.clear()}
        />
        {sendToNotebook && (
          <Button
            label={trans.__('Send to notebook')}
            disabled={cell === null || running}
            action={() => sendToNotebook(cell ?? '')}
          />
        )}
      </div>
    </div>
  );
}

/** Any language model on this machine: one that is not loaded is loaded by the first message. */
function ModelChoice(): JSX.Element {
  const { conversation, lmnb, trans } = usePanel();
  const model = useObservable(conversation.model);
  const models = (useObservable(lmnb.models.list) ?? []).filter(
    one => one.type === 'llm'
  );
  const loaded = models.flatMap(one =>
    one.loaded_instances.map(({ id }) => id)
  );
  const others = models
    .filter(one => one.loaded_instances.length === 0)
    .map(one => one.key);
  const known = [...loaded, ...others];
  const first = known[0];
  const lost = first !== undefined && !known.includes(model);
  useEffect(() => {
    if (lost) {
      conversation.model.set(first);
    }
  }, [conversation, first, lost]);
  return (
    <select
      className="jp-lmnb-input"
      aria-label={trans.__('Model')}
      value={model}
      onChange={event => conversation.model.set(event.target.value)}
    >
      {loaded.length > 0 && (
        <optgroup label={trans.__('Loaded')}>
          {loaded.map(id => (
            <option key={id}>{id}</option>
          ))}
        </optgroup>
      )}
      {others.length > 0 && (
        <optgroup label={trans.__('Loaded by the first message')}>
          {others.map(key => (
            <option key={key}>{key}</option>
          ))}
        </optgroup>
      )}
    </select>
  );
}

/** How fast the last answer came, and how full the context is. */
function Figures(): JSX.Element | null {
  const { conversation, lmnb, trans } = usePanel();
  const figures = useObservable(conversation.figures);
  const model = useObservable(conversation.model);
  const status = useObservable(lmnb.health.status);
  if (!figures) {
    return null;
  }
  const room = status?.loaded.find(
    one => one.identifier === model || one.model === model
  )?.context_length;
  const facts = [
    figures.perSecond !== null &&
      trans.__('%1 tokens/s', rate(figures.perSecond)),
    room
      ? trans.__('%1 of %2 tokens', figures.tokens, room)
      : trans.__('%1 tokens', figures.tokens)
  ];
  return (
    <div className="jp-lmnb-figures">
      <span className="jp-lmnb-facts">{facts.filter(Boolean).join(' · ')}</span>
      {room && (
        <meter
          aria-label={trans.__('Context in use')}
          min={0}
          max={room}
          high={room * 0.8}
          value={figures.tokens}
        />
      )}
    </div>
  );
}
