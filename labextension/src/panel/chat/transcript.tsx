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
  const log = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const place = useRef({ top: 0, height: 0 });
  useEffect(() => {
    const { current: node } = log;
    const { current: inner } = content;
    if (!node || !inner) {
      return;
    }
    // Markdown is rendered a moment after it has come.
    const grown = new ResizeObserver(() => {
      if (follows.current) {
        node.scrollTop = node.scrollHeight;
      }
    });
    grown.observe(inner);
    return () => grown.disconnect();
  }, []);
  const scrolled = (): void => {
    const { current: node } = log;
    if (node) {
      const { scrollTop: top, scrollHeight: height, clientHeight } = node;
      const before = place.current;
      place.current = { top, height };
      if (height - top - clientHeight < 20) {
        follows.current = true;
      } else if (top < before.top && height >= before.height) {
        follows.current = false; // not because there was less to show: somebody went up
      }
    }
  };
  return (
    <div
      ref={log}
      className="jp-lmnb-transcript"
      role="log"
      aria-live="polite"
      aria-busy={running}
      aria-label={trans.__('Conversation')}
      tabIndex={0}
      onScroll={scrolled}
    >
      <div ref={content}>
        {turns.length === 0 && (
          <p className="jp-lmnb-hint">
            {trans.__(
              'Ask something. What is said here stays on this machine.'
            )}
          </p>
        )}
        {turns.map((turn, index) => (
          <Turn key={index} turn={turn} />
        ))}
      </div>
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
