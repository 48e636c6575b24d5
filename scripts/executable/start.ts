/** Where the single executable begins. It is bundled by itself, as a script. */
import { getRawAsset } from 'node:sea';
import { pieceLoader } from './load-pieces.ts';

pieceLoader((name) => new Uint8Array(getRawAsset(name)), require)('./main.js');
