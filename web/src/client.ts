/** The API's client, which is the only way in which the page talks to the API. */
export { Anemonefish, AnemonefishError } from '../../clients/javascript/anemonefish.js';
export type {
  ErrorReason,
  Execution,
  Format,
  Model,
  Note,
  Quote,
  RecordingOutcome,
  Results,
  Upload,
} from '../../clients/javascript/anemonefish.js';
