/** What a model is, and whether it is fit for science: read before it is used. */
import { capital, formatNumber } from '../format.ts';
import { texts } from '../texts.ts';
import { Notice } from '../ui.tsx';
import type { ModelDocument } from './settings.ts';

export function ModelCard({ model }: { model: ModelDocument }) {
  const { card } = model;
  return (
    <>
      {card.fit_for_science === true ? (
        <Notice tone="info" title={texts.results.fit}>
          {card.why && <p>{capital(card.why)}.</p>}
        </Notice>
      ) : (
        <Notice tone="warning" title={card.fit_for_science === false ? texts.start.notFit : texts.start.fitUnknown}>
          {card.why && <p>{capital(card.why)}.</p>}
        </Notice>
      )}
      <details class="more">
        <summary>{texts.start.modelAbout}</summary>
        <p>{model.description}</p>
        <dl class="facts">
          <Facts label={texts.start.heard} values={card.heard} />
          <Facts label={texts.start.notHeard} values={card.not_heard} />
        </dl>
        {card.measured.length > 0 && (
          <table class="rows cards">
            <thead>
              <tr>
                <th scope="col">{texts.start.measured}</th>
                <th scope="col" class="number">
                  {texts.start.value}
                </th>
                <th scope="col">{texts.start.measuredOn}</th>
              </tr>
            </thead>
            <tbody>
              {card.measured.map(({ what, value, interval, measured_on }) => (
                <tr key={what}>
                  <td>{what}</td>
                  <td class="number" data-label={texts.start.value}>
                    <span>
                      {formatNumber(value, 3)}
                      {interval && (
                        <span class="help">
                          {' '}
                          ({texts.start.interval(formatNumber(interval[0], 3), formatNumber(interval[1], 3))})
                        </span>
                      )}
                    </span>
                  </td>
                  <td data-label={texts.start.measuredOn}>{measured_on}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </details>
    </>
  );
}

function Facts({ label, values }: { label: string; values: string[] }) {
  if (!values.length) return null;
  return (
    <>
      <dt>{label}</dt>
      {values.map((value) => (
        <dd key={value}>{value}</dd>
      ))}
    </>
  );
}
