/** Where files and folders are dropped or chosen. Files may be dropped anywhere on the screen. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { links } from '../navigation.ts';
import { texts } from '../texts.ts';
import { filesOfDrop, filesOfInput } from './chosen-files.ts';
import type { ChosenFile } from './chosen-files.ts';
import { ACCEPT } from './file-checks.ts';
import type { LeftOut } from './file-checks.ts';

/** Preact's types do not have this attribute. */
const FOLDER = { webkitdirectory: true };

interface DropZoneProperties {
  onChosen: (chosen: ChosenFile[], leftOut: LeftOut[]) => void;
}

export function DropZone({ onChosen }: DropZoneProperties) {
  const [over, setOver] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  useEffect(() => {
    let leaving: ReturnType<typeof setTimeout>;
    const drag = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      event.preventDefault(); // else the browser opens the file
      event.dataTransfer.dropEffect = 'copy';
      clearTimeout(leaving);
      leaving = setTimeout(() => setOver(false), 200);
      setOver(true);
    };
    const drop = (event: DragEvent) => {
      if (!event.dataTransfer?.files.length && !event.dataTransfer?.items.length) return;
      event.preventDefault();
      setOver(false);
      void filesOfDrop(event.dataTransfer.items).then(({ chosen, leftOut }) => onChosen(chosen, leftOut));
    };
    addEventListener('dragover', drag);
    addEventListener('drop', drop);
    return () => {
      clearTimeout(leaving);
      removeEventListener('dragover', drag);
      removeEventListener('drop', drop);
    };
  }, [onChosen]);
  const chosen = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement;
    onChosen(filesOfInput(input), []);
    input.value = ''; // so that the same files can be chosen again
  };
  return (
    <div class={over ? 'drop-zone over' : 'drop-zone'}>
      <p class="drop-title">{texts.start.dropTitle}</p>
      <p class="help">{texts.start.dropHelp}</p>
      <div class="actions">
        <button type="button" onClick={() => files.current?.click()}>
          {texts.start.chooseFiles}
        </button>
        <button type="button" onClick={() => folder.current?.click()}>
          {texts.start.chooseFolder}
        </button>
        <a class="button quiet" href={links.uploads}>
          {texts.start.fromUploads}
        </a>
      </div>
      <input
        ref={files}
        type="file"
        multiple
        hidden
        accept={ACCEPT}
        aria-label={texts.start.chooseFiles}
        onChange={chosen}
      />
      <input
        ref={folder}
        type="file"
        multiple
        hidden
        {...FOLDER}
        aria-label={texts.start.chooseFolder}
        onChange={chosen}
      />
    </div>
  );
}
