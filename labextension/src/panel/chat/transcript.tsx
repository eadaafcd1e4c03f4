import { Clipboard } from '@jupyterlab/apputils';
import { copyIcon } from '@jupyterlab/ui-components';
import React, { useEffect, useRef } from 'react';

import { ITurn } from '../../state/conversation';
import { useObservable, usePanel } from '../context';
import { Button } from '../parts/button';
import { Markdown } from './markdown';

/** What was said. It follows the stream, unless somebody scrolled up. */
export function Transcript(): JSX.Element {
  const { conversation, trans } = usePanel();
  const turns = useObservable(conversation.turns);
  const running = useObservable(conversation.running);
  const node = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    if (node.current && follows.current) {
      node.current.scrollTop = node.current.scrollHeight;
    }
  }, [turns]);
  const scrolled = (): void => {
    const {
      scrollTop = 0,
      scrollHeight = 0,
      clientHeight = 0
    } = node.current ?? {};
    follows.current = scrollHeight - scrollTop - clientHeight < 20;
  };
  return (
    <div
      ref={node}
      className="jp-lmnb-transcript"
      role="log"
      aria-live="polite"
      aria-busy={running}
      aria-label={trans.__('Conversation')}
      tabIndex={0}
      onScroll={scrolled}
    >
      {turns.length === 0 && (
        <p className="jp-lmnb-hint">
          {trans.__('Ask something. What is said here stays on this machine.')}
        </p>
      )}
      {turns.map((turn, index) => (
        <Turn key={index} turn={turn} />
      ))}
    </div>
  );
}

function Turn(props: { turn: ITurn }): JSX.Element {
  const { rendermime, trans } = usePanel();
  const { role, text, thinking, note } = props.turn;
  const notes = {
    stopped: trans.__('stopped'),
    length: trans.__('cut off at the longest length'),
    failed: trans.__('failed')
  };
  return (
    <div className={`jp-lmnb-turn jp-lmnb-from-${role}`}>
      <div className="jp-lmnb-rowhead">
        <span className="jp-lmnb-facts">
          {role === 'user' ? trans.__('You') : trans.__('Model')}
        </span>
        {role === 'assistant' && text && (
          <Button
            label={trans.__('Copy')}
            about={trans.__('this answer')}
            icon={copyIcon}
            action={() => Clipboard.copyToSystem(text)}
          />
        )}
      </div>
      {thinking && (
        <details open={!text}>
          <summary>{trans.__('Thinking')}</summary>
          <div className="jp-lmnb-thinking">{thinking}</div>
        </details>
      )}
      <div className="jp-lmnb-text">
        {role === 'assistant' && rendermime ? (
          <Markdown registry={rendermime} text={text} />
        ) : (
          text
        )}
      </div>
      {note && <em className="jp-lmnb-facts">{notes[note]}</em>}
    </div>
  );
}
