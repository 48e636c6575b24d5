/** One entry of a layer's folder. Names are bytes: each character of a path is one. */
export interface ListedFile {
  /** Without a slash at the beginning. */
  readonly path: string;
  /** `opaque`: a folder that hides what lower layers have beneath it. `whiteout`: the name is deleted. */
  readonly kind: 'file' | 'folder' | 'opaque' | 'whiteout';
  /** Of the content; 0 but for regular files. */
  readonly bytes: number;
  /** Names with the same number in one layer are hard links to the same content. */
  readonly inode: string;
}

export interface WastedFile {
  readonly path: string;
  readonly bytes: number;
  /** Index of the layer that overwrote or deleted it. */
  readonly by: number;
}

export interface LayerWaste {
  readonly bytes: number;
  /** The largest first. */
  readonly files: readonly WastedFile[];
}

/** Content of a file; it is wasted once its last name is gone. */
interface Content {
  readonly layer: number;
  readonly bytes: number;
  names: number;
}

interface Node {
  readonly content: Content | undefined;
  /** Undefined for all but folders. */
  readonly children: Map<string, Node> | undefined;
}

/**
 * What each layer carries in vain: files that a later layer overwrites or deletes.
 * @param layers listings, bottom first; folders stand before what is in them
 */
export function wastedBytes(layers: readonly (readonly ListedFile[])[]): readonly LayerWaste[] {
  const wasted: WastedFile[][] = layers.map(() => []);
  const root: Node = { content: undefined, children: new Map() };
  layers.forEach((listing, layer) => {
    const contents = new Map<string, Content>();
    const lose = (node: Node, path: string): void => {
      for (const [name, child] of node.children ?? []) lose(child, `${path}/${name}`);
      const { content } = node;
      if (content === undefined) return;
      content.names -= 1;
      if (content.names === 0 && content.bytes > 0)
        wasted[content.layer]?.push({ path, bytes: content.bytes, by: layer });
    };
    for (const file of listing) apply(root, file, { layer, contents, lose });
  });
  return wasted.map((files) => ({
    bytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
    files: files.toSorted((a, b) => b.bytes - a.bytes),
  }));
}

export interface VisibleFile {
  readonly path: string;
  /** Index of the layer that has it. */
  readonly layer: number;
}

/** The non-empty regular files that a container of all the layers sees and that are wanted. @param layers bottom first */
export function visibleFiles(
  layers: readonly (readonly ListedFile[])[],
  isWanted: (path: string) => boolean,
): readonly VisibleFile[] {
  const root: Node = { content: undefined, children: new Map() };
  layers.forEach((listing, layer) => {
    const contents = new Map<string, Content>();
    for (const file of listing) apply(root, file, { layer, contents, lose: () => {} });
  });
  const found: VisibleFile[] = [];
  const visit = ({ content, children }: Node, path: string): void => {
    if (content !== undefined && content.bytes > 0 && isWanted(path)) found.push({ path, layer: content.layer });
    for (const [name, child] of children ?? []) visit(child, path === '' ? name : `${path}/${name}`);
  };
  visit(root, '');
  return found;
}

interface Applying {
  readonly layer: number;
  readonly contents: Map<string, Content>;
  lose(node: Node, path: string): void;
}

function apply(root: Node, file: ListedFile, { layer, contents, lose }: Applying): void {
  const parts = file.path.split('/');
  const name = parts.pop()!;
  const siblings = folderAt(root, parts).children!;
  const present = siblings.get(name);
  const isMerged = file.kind === 'folder' && present?.children !== undefined;
  if (isMerged) return;
  if (present !== undefined) lose(present, file.path);
  if (file.kind === 'whiteout') siblings.delete(name);
  else if (file.kind === 'file') siblings.set(name, { content: contentOf(file, layer, contents), children: undefined });
  else siblings.set(name, { content: undefined, children: new Map() });
}

function contentOf({ inode, bytes }: ListedFile, layer: number, contents: Map<string, Content>): Content {
  const content = contents.get(inode) ?? { layer, bytes, names: 0 };
  contents.set(inode, content);
  content.names += 1;
  return content;
}

function folderAt(root: Node, parts: readonly string[]): Node {
  let node = root;
  for (const part of parts) {
    const next = node.children!.get(part);
    if (next?.children !== undefined) node = next;
    else {
      const made: Node = { content: undefined, children: new Map() };
      node.children!.set(part, made);
      node = made;
    }
  }
  return node;
}
