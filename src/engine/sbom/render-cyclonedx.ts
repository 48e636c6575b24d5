import { Factories } from '@cyclonedx/cyclonedx-library/Contrib/License';
import { ComponentType, ExternalReferenceType, HashAlgorithm } from '@cyclonedx/cyclonedx-library/Enums';
import {
  Bom,
  Component,
  ExternalReference,
  ExternalReferenceRepository,
  HashDictionary,
  LicenseRepository,
  Metadata,
  OrganizationalEntity,
  Property,
  PropertyRepository,
  Tools,
} from '@cyclonedx/cyclonedx-library/Models';
import { JSON as Json, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize';
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec';
import { VERSION } from '../../lib/version.ts';
import { isLicenseExpression } from './licenses.ts';
import { imageUrl, packageUrl, uuidOf } from './package-url.ts';
import type { Package, Subject } from './software.ts';

/** A CycloneDX 1.6 document. Equal images have equal documents: its time is the image's, its number follows from the id. */
export function renderCycloneDx(subject: Subject, packages: readonly Package[]): string {
  const image = new Component(ComponentType.Container, subject.name, {
    bomRef: 'image',
    version: subject.id,
    purl: imageUrl(subject),
  });
  const bom = new Bom({
    serialNumber: `urn:uuid:${uuidOf(subject.id)}`,
    metadata: new Metadata({
      ...(subject.createdAt === undefined ? {} : { timestamp: subject.createdAt }),
      tools: toolsOf(),
      component: image,
    }),
  });
  for (const each of packages) {
    const component = componentOf(each);
    bom.components.add(component);
    image.dependencies.add(component.bomRef);
  }
  const serializer = new JsonSerializer(new Json.Normalize.Factory(Spec1dot6));
  return serializer.serialize(bom, { sortLists: true, space: 2 });
}

function toolsOf(): Tools {
  const tools = new Tools();
  tools.components.add(new Component(ComponentType.Application, 'bascule', { version: VERSION }));
  return tools;
}

const licenses = new Factories.LicenseFactory((text) => {
  if (!isLicenseExpression(text)) throw new RangeError(text);
});

function componentOf(each: Package): Component {
  const { name, version, namespace, license, description, supplier, homepage, integrity, places } = each;
  const purl = packageUrl(each);
  return new Component(ComponentType.Library, name, {
    ...{ bomRef: purl, version, purl },
    ...(namespace === undefined || each.ecosystem === 'deb' ? {} : { group: namespace }),
    ...(description === undefined ? {} : { description }),
    ...(license === undefined ? {} : { licenses: new LicenseRepository([licenses.makeFromString(license)]) }),
    ...(supplier === undefined ? {} : { supplier: new OrganizationalEntity({ name: supplier }) }),
    externalReferences: new ExternalReferenceRepository(
      homepage === undefined ? [] : [new ExternalReference(homepage, ExternalReferenceType.Website)],
    ),
    hashes: hashesOf(integrity),
    properties: new PropertyRepository(places.map((place) => new Property('bascule:place', `/${place}`))),
  });
}

const ALGORITHMS: Readonly<Record<string, HashAlgorithm>> = {
  sha1: HashAlgorithm['SHA-1'],
  sha256: HashAlgorithm['SHA-256'],
  sha384: HashAlgorithm['SHA-384'],
  sha512: HashAlgorithm['SHA-512'],
};

/** Subresource Integrity: several may stand there, in base64. */
function hashesOf(integrity = ''): HashDictionary {
  const hashes = new HashDictionary();
  for (const text of integrity.split(/\s+/)) {
    const [, name = '', digest = ''] = /^(sha\d+)-([A-Za-z0-9+/=]+)/.exec(text) ?? [];
    const algorithm = ALGORITHMS[name];
    if (algorithm !== undefined) hashes.set(algorithm, Buffer.from(digest, 'base64').toString('hex'));
  }
  return hashes;
}
