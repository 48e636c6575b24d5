import type { AddCommand } from '../../command.ts';
import { addImageBuild } from '../image-build.ts';
import { addBootstrap } from './bootstrap.ts';
import { addInspect } from './inspect.ts';
import { addList } from './list.ts';
import { addRemove } from './remove.ts';

/** In the order of `--help`. */
export const addImages: AddCommand = (program, run) => {
  addList(program.command('images').summary('list the images of the engine'), run);
  const image = program.command('image').summary('work on images');
  addList(image.command('ls').summary('list images'), run);
  addImageBuild(image, run);
  addBootstrap(image, run);
  addInspect(image, run);
  addRemove(image, run);
};
