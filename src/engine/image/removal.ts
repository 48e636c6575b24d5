import { familiarName, parseReference, type Digest } from '../../lib/oci/index.ts';
import { shortId } from '../../lib/id.ts';
import { imageInUse } from './errors.ts';
import type { ImageUser } from './face.ts';

/** What removing an image does, in order. */
export type RemovalStep =
  | { readonly kind: 'untag'; readonly id: Digest; readonly reference: string }
  | { readonly kind: 'forget-digest'; readonly id: Digest; readonly reference: string }
  | { readonly kind: 'delete'; readonly id: Digest };

/** What the decision looks at. */
export interface RemovalView {
  referencesOf(id: Digest): readonly string[];
  repoDigestsOf(id: Digest): readonly string[];
  childrenOf(id: Digest): readonly Digest[];
  parentOf(id: Digest): Digest | undefined;
  usersOf(id: Digest): readonly ImageUser[];
}

export interface RemovalRequest {
  readonly id: Digest;
  /** As the user wrote it. */
  readonly name: string;
  /** The familiar tag or digest reference that the name stands for; undefined when it is an id. */
  readonly reference: string | undefined;
  readonly force: boolean;
  readonly keepParents: boolean;
}

/**
 * The steps of `docker rmi`: untag; delete when no name is left; then delete parents that nothing needs.
 * Follows moby's daemon/images/image_delete.go, whose messages clients know.
 * @throws UserError `image-in-use`
 */
export function planRemoval(request: RemovalRequest, view: RemovalView): readonly RemovalStep[] {
  const plan = new RemovalPlan(view);
  if (request.reference === undefined) plan.removeById(request);
  else plan.removeByReference(request, request.reference);
  return plan.steps;
}

class RemovalPlan {
  readonly steps: RemovalStep[] = [];
  readonly #view: RemovalView;
  readonly #gone = new Set<string>();

  constructor(view: RemovalView) {
    this.#view = view;
  }

  removeByReference(request: RemovalRequest, reference: string): void {
    const { id, force } = request;
    const user = this.#view.usersOf(id)[0];
    if (!force && this.#isSingleReference(id) && user !== undefined) throw mustForce(request, user);
    this.#forget(id, reference);
    this.#forgetDigestsOfRepository(id, reference);
    if (this.#namesOf(id).length > 0) return;
    this.#delete(request, { isQuiet: true });
  }

  removeById(request: RemovalRequest): void {
    if (this.#isSingleReference(request.id)) {
      const conflict = this.#conflict(request.id, { force: request.force, ignoreNames: true });
      if (conflict !== undefined) throw conflict.error;
      for (const name of this.#namesOf(request.id)) this.#forget(request.id, name);
    }
    this.#delete(request, { isQuiet: false });
  }

  /** Quietly: a conflict leaves the image, unless it would dangle without anybody using it. */
  #delete(request: RemovalRequest, { isQuiet }: { isQuiet: boolean }): void {
    const { id } = request;
    const conflict = this.#conflict(id, { force: request.force, ignoreNames: false });
    if (conflict !== undefined) {
      if (isQuiet && (!this.#isDangling(id) || conflict.isUsed)) return;
      throw conflict.error;
    }
    for (const name of this.#namesOf(id)) this.#forget(id, name);
    this.#gone.add(id);
    this.steps.push({ kind: 'delete', id });
    const parent = this.#view.parentOf(id);
    if (parent === undefined || request.keepParents || this.#gone.has(parent)) return;
    if (this.#isDangling(parent)) this.#delete({ ...request, id: parent, force: false }, { isQuiet: true });
  }

  #conflict(id: Digest, o: { force: boolean; ignoreNames: boolean }): Conflict | undefined {
    if (this.#childrenOf(id).length > 0)
      return conflictOf(id, { why: 'image has dependent child images', isHard: true });
    const users = this.#view.usersOf(id);
    const running = users.find((user) => user.isRunning);
    if (running !== undefined) {
      const why = `image is being used by running container ${shortId(running.containerId)}`;
      return { ...conflictOf(id, { why, isHard: true }), isUsed: true };
    }
    if (o.force) return undefined;
    if (!o.ignoreNames && this.#namesOf(id).length > 0) {
      return conflictOf(id, { why: 'image is referenced in multiple repositories', isHard: false });
    }
    if (users[0] === undefined) return undefined;
    const why = `image is being used by stopped container ${shortId(users[0].containerId)}`;
    return { ...conflictOf(id, { why, isHard: false }), isUsed: true };
  }

  /** At most one tag, and all names within one repository. */
  #isSingleReference(id: Digest): boolean {
    const tags = this.#view.referencesOf(id).filter((name) => !this.#gone.has(name));
    const repositories = new Set(this.#namesOf(id).map(repositoryOf));
    return tags.length <= 1 && repositories.size <= 1;
  }

  /** Digests are kept only as long as a tag of their repository. */
  #forgetDigestsOfRepository(id: Digest, reference: string): void {
    const repository = repositoryOf(reference);
    const names = this.#namesOf(id).filter((name) => repositoryOf(name) === repository);
    if (names.some((name) => !name.includes('@'))) return;
    for (const name of names) this.#forget(id, name);
  }

  #forget(id: Digest, reference: string): void {
    this.#gone.add(reference);
    this.steps.push({ kind: reference.includes('@') ? 'forget-digest' : 'untag', id, reference });
  }

  #namesOf(id: Digest): readonly string[] {
    return [...this.#view.referencesOf(id), ...this.#view.repoDigestsOf(id)].filter((name) => !this.#gone.has(name));
  }

  #childrenOf(id: Digest): readonly Digest[] {
    return this.#view.childrenOf(id).filter((child) => !this.#gone.has(child));
  }

  #isDangling(id: Digest): boolean {
    return this.#namesOf(id).length === 0 && this.#childrenOf(id).length === 0;
  }
}

interface Conflict {
  readonly error: Error;
  readonly isUsed: boolean;
}

function conflictOf(id: Digest, { why, isHard }: { why: string; isHard: boolean }): Conflict {
  const force = isHard ? 'cannot be forced' : 'must be forced';
  const error = imageInUse(`conflict: unable to delete ${shortId(id)} (${force}) - ${why}`, !isHard);
  return { error, isUsed: false };
}

function mustForce({ id, name }: RemovalRequest, user: ImageUser): Error {
  const container = shortId(user.containerId);
  return imageInUse(
    `conflict: unable to remove repository reference "${name}" (must force) - ` +
      `container ${container} is using its referenced image ${shortId(id)}`,
    true,
  );
}

function repositoryOf(reference: string): string {
  return familiarName(parseReference(reference));
}
