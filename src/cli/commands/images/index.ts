import type { AddCommand } from '../../command.ts';
import { addImageBuild } from '../image-build.ts';
import { addArchives } from './archives.ts';
import { addBootstrap } from './bootstrap.ts';
import { addCommit } from './commit.ts';
import { addHistory } from './history.ts';
import { addInspect } from './inspect.ts';
import { addList } from './list.ts';
import { addProvenance } from './provenance.ts';
import { addPrune } from './prune.ts';
import { addRemove } from './remove.ts';
import { addSbom } from './sbom.ts';
import { addTag } from './tag.ts';
import { addTransfer } from './transfer.ts';

/** In the order of `--help`. */
export const addImages: AddCommand = (program, run) => {
  addList(program.command('images').summary('list the images of the engine'), run);
  const image = program.command('image').summary('work on images');
  addList(image.command('ls').summary('list images'), run);
  addImageBuild(image, run);
  addBootstrap(image, run);
  addInspect(image, run);
  addHistory(image, run);
  addProvenance(image, run);
  addSbom(image, run);
  addTag(image, run);
  addRemove(image, run);
  addPrune(image, run);
  addArchives(image, run);
  addCommit(image, run);
  addTransfer(image, run);
};
