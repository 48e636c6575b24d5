import { volumeConflict, volumeDriverUnknown, volumeInvalid } from './errors.ts';
import type { VolumeRecord, VolumeRequest } from './types.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Which options need which others (moby volume/local/local_unix.go). */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  device: ['type'],
  type: ['device'],
  o: ['device', 'type'],
};

/** What a volume's record is to be. @throws UserError `volume-invalid`, `volume-driver-unknown` */
export function planVolume(
  request: VolumeRequest,
  o: { readonly newName: string; readonly now: Date },
): Omit<VolumeRecord, 'mountpoint'> {
  const name = request.name || o.newName;
  checkName(name);
  const driver = request.driver || 'local';
  if (driver !== 'local') throw volumeDriverUnknown(name, driver);
  const options = request.options ?? {};
  checkOptions(name, options);
  return { name, driver, labels: request.labels ?? {}, options, anonymous: !request.name, createdAt: o.now };
}

/** Creating a volume that is there gives it back, unless it was asked to be another. */
export function checkSame(known: VolumeRecord, request: VolumeRequest): VolumeRecord {
  if (Object.entries(request.options ?? {}).some(([key, value]) => known.options[key] !== value))
    throw volumeConflict(known.name);
  return known;
}

function checkOptions(name: string, options: Readonly<Record<string, string>>): void {
  for (const option of Object.keys(options)) {
    if (!Object.hasOwn(NEEDS, option))
      throw volumeInvalid(`create ${name}: invalid option: "${option}"`, 'The driver local knows type, o and device.');
    const missing = NEEDS[option]?.find((needed) => !options[needed]);
    if (missing !== undefined)
      throw volumeInvalid(
        `create ${name}: missing required option: "${missing}"`,
        'Give type, device and, if needed, o.',
      );
  }
}

function checkName(name: string): void {
  if (NAME.test(name) && name.length >= 2 && name.length <= 255) return;
  throw volumeInvalid(
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`,
    'Give a name of 2 to 255 of these characters. For a folder of the host, pass an absolute path.',
  );
}
