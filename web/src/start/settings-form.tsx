/** The settings with their meaning. What is left empty is the model's. */
import type { ComponentChildren } from 'preact';
import { formatNumber } from '../format.ts';
import { texts } from '../texts.ts';
import { chosenClasses, defaultThreshold, DEFAULTS } from './settings.ts';
import type { ModelDocument, Problems, SettingsForm } from './settings.ts';

interface Properties {
  form: SettingsForm;
  model: ModelDocument;
  problems: Problems;
  onChange: (form: SettingsForm) => void;
}

const words = texts.settings;

export function SettingsFields({ form, model, problems, onChange }: Properties) {
  const change = (part: Partial<SettingsForm>) => onChange({ ...form, ...part });
  const classes = chosenClasses(form, model);
  const windows = Number(form.median_windows) || model.decision.median_windows;
  const field = { problems, form, change };
  const changed = JSON.stringify(form) !== JSON.stringify(DEFAULTS);
  return (
    <>
      <Group name="target_class" label={words.target_class.label} help={words.target_class.help}>
        {model.classes.map((name) => (
          <label class="check" key={name}>
            <input
              type="checkbox"
              checked={classes.includes(name)}
              onChange={(event) => {
                const next = event.currentTarget.checked
                  ? [...classes, name]
                  : classes.filter((other) => other !== name);
                const isDefault = next.length === 0 || (next.length === 1 && next[0] === model.target_class);
                change({ classes: isDefault ? [] : next });
              }}
            />
            {name}
          </label>
        ))}
      </Group>
      <div class="fields">
        {classes.map((name, position) => (
          <Field
            key={name}
            id={`threshold ${name}`}
            label={classes.length === 1 ? words.threshold.label : words.threshold.ofClass(name)}
            help={position === 0 ? words.threshold.help : undefined}
            value={form.thresholds[name] ?? ''}
            placeholder={formatNumber(defaultThreshold(model, name), 3)}
            problems={problems}
            onInput={(value) => change({ thresholds: { ...form.thresholds, [name]: value } })}
          />
        ))}
        <NumberField
          {...field}
          name="median_windows"
          placeholder={model.decision.median_windows}
          unit={words.median_windows.seconds(windows * model.hop_seconds)}
        />
        <NumberField
          {...field}
          name="min_duration_seconds"
          placeholder={model.decision.min_duration_seconds}
          unit="s"
        />
        <NumberField {...field} name="min_gap_seconds" placeholder={model.decision.min_gap_seconds} unit="s" />
        {model.sites.length > 0 && (
          <div class="field">
            <label for="site">{words.site.label}</label>
            <select
              id="site"
              value={form.site}
              aria-describedby="site-help"
              onChange={(event) => change({ site: event.currentTarget.value })}
            >
              <option value="">{words.site.none}</option>
              {model.sites.map((site) => (
                <option key={site}>{site}</option>
              ))}
            </select>
            <p class="help" id="site-help">
              {words.site.help}
            </p>
          </div>
        )}
      </div>
      <details class="more">
        <summary>{texts.start.more}</summary>
        <div class="fields">
          <TextField {...field} name="time_zone" list />
          <TextField {...field} name="local_time_zone" list />
          <NumberField {...field} name="channel" />
          <NumberField {...field} name="full_scale_db" unit={words.full_scale_db.unit} />
          <div class="field">
            <label for="damaged">{words.damaged.label}</label>
            <select
              id="damaged"
              value={form.damaged || 'keep'}
              aria-describedby="damaged-help"
              onChange={({ currentTarget: { value } }) => change({ damaged: value === 'keep' ? '' : value })}
            >
              <option value="keep">{words.damaged.keep}</option>
              <option value="refuse">{words.damaged.refuse}</option>
            </select>
            <p class="help" id="damaged-help">
              {words.damaged.help}
            </p>
          </div>
          <Group name="review" label={words.review.label} help={words.review.help}>
            {(['clips', 'pictures'] as const).map((name) => (
              <label class="check" key={name}>
                <input
                  type="checkbox"
                  checked={form.review.includes(name)}
                  onChange={({ currentTarget: { checked } }) =>
                    change({ review: checked ? [...form.review, name] : form.review.filter((other) => other !== name) })
                  }
                />
                {words.review[name]}
              </label>
            ))}
          </Group>
        </div>
        <datalist id="time-zones">
          {['UTC', ...(Intl.supportedValuesOf?.('timeZone') ?? [])].map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
      </details>
      {changed && (
        <button type="button" class="small" onClick={() => onChange(DEFAULTS)}>
          {texts.start.reset}
        </button>
      )}
    </>
  );
}

interface Common {
  form: SettingsForm;
  problems: Problems;
  change: (part: Partial<SettingsForm>) => void;
}

type NumberName = 'median_windows' | 'min_duration_seconds' | 'min_gap_seconds' | 'channel' | 'full_scale_db';

function NumberField({
  form,
  problems,
  change,
  name,
  placeholder,
  unit,
}: Common & { name: NumberName; placeholder?: number; unit?: string }) {
  return (
    <Field
      id={name}
      label={words[name].label}
      help={words[name].help}
      unit={unit}
      value={form[name]}
      placeholder={placeholder === undefined ? '' : formatNumber(placeholder, 3)}
      problems={problems}
      onInput={(value) => change({ [name]: value })}
    />
  );
}

function TextField({ form, problems, change, name }: Common & { name: 'time_zone' | 'local_time_zone'; list: true }) {
  return (
    <Field
      id={name}
      label={words[name].label}
      help={words[name].help}
      value={form[name]}
      placeholder=""
      list="time-zones"
      problems={problems}
      onInput={(value) => change({ [name]: value })}
    />
  );
}

interface FieldProperties {
  id: string;
  label: string;
  help?: string;
  unit?: string;
  value: string;
  placeholder: string;
  list?: string;
  problems: Problems;
  onInput: (value: string) => void;
}

function Field({ id, label, help, unit, value, placeholder, list, problems, onInput }: FieldProperties) {
  const html = id.replaceAll(' ', '-');
  const problem = problems[id];
  const described = [problem && `${html}-problem`, help && `${html}-help`].filter(Boolean).join(' ') || undefined;
  return (
    <div class="field">
      <label for={html}>{label}</label>
      <span class="with-unit">
        <input
          id={html}
          type="text"
          inputMode={list ? 'text' : 'decimal'}
          autocomplete="off"
          class={list ? '' : 'short'}
          list={list}
          value={value}
          placeholder={placeholder}
          aria-describedby={described}
          aria-invalid={problem ? true : undefined}
          onInput={(event) => onInput(event.currentTarget.value)}
        />
        {unit && <span class="unit">{unit}</span>}
      </span>
      {problem && (
        <p class="problem" id={`${html}-problem`}>
          {problem}
        </p>
      )}
      {help && (
        <p class="help" id={`${html}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

function Group({
  name,
  label,
  help,
  children,
}: {
  name: string;
  label: string;
  help: string;
  children: ComponentChildren;
}) {
  return (
    <fieldset class="field" aria-describedby={`${name}-help`}>
      <legend>{label}</legend>
      <div class="checks">{children}</div>
      <p class="help" id={`${name}-help`}>
        {help}
      </p>
    </fieldset>
  );
}
