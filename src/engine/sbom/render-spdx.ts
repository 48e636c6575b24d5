import { VERSION } from '../../lib/version.ts';
import { isLicenseExpression } from './licenses.ts';
import { imageUrl, packageUrl, uuidOf } from './package-url.ts';
import type { Package, Subject } from './software.ts';

const NONE = 'NOASSERTION';
const IMAGE = 'SPDXRef-Image';

/** A document of the SPDX specification 2.3 as JSON. Equal images have equal documents. */
export function renderSpdx(subject: Subject, packages: readonly Package[]): string {
  const uuid = uuidOf(subject.id);
  const ids = packages.map((each, index) => `SPDXRef-Package-${each.ecosystem}-${index + 1}`);
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: subject.name,
    documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(subject.name)}-${uuid}`,
    creationInfo: {
      created: `${(subject.createdAt ?? new Date(0)).toISOString().slice(0, 19)}Z`,
      creators: [`Tool: bascule-${VERSION}`],
    },
    packages: [imageOf(subject), ...packages.map((each, index) => packageOf(each, ids[index] ?? ''))],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: IMAGE },
      ...ids.map((id) => ({ spdxElementId: IMAGE, relationshipType: 'CONTAINS', relatedSpdxElement: id })),
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function imageOf(subject: Subject): object {
  return {
    SPDXID: IMAGE,
    name: subject.name,
    versionInfo: subject.id,
    primaryPackagePurpose: 'CONTAINER',
    downloadLocation: NONE,
    filesAnalyzed: false,
    checksums: [{ algorithm: 'SHA256', checksumValue: subject.id.replace('sha256:', '') }],
    ...legal(undefined),
    externalRefs: [urlOf(imageUrl(subject))],
  };
}

function packageOf(each: Package, id: string): object {
  const { namespace, name, version, license, description, supplier, homepage, places } = each;
  return {
    SPDXID: id,
    name: namespace === undefined || each.ecosystem === 'deb' ? name : `${namespace}/${name}`,
    versionInfo: version,
    downloadLocation: NONE,
    filesAnalyzed: false,
    ...legal(license),
    ...(supplier === undefined ? {} : { supplier: `Organization: ${supplier}` }),
    ...(description === undefined ? {} : { summary: description }),
    ...(homepage === undefined || !URL.canParse(homepage) ? {} : { homepage }),
    sourceInfo: `found in ${places.map((place) => `/${place}`).join(', ')}`,
    externalRefs: [urlOf(packageUrl(each))],
  };
}

/** What is no SPDX expression is told, but not as one. */
function legal(license: string | undefined): object {
  const isExpression = license !== undefined && isLicenseExpression(license);
  return {
    licenseConcluded: NONE,
    licenseDeclared: isExpression ? license : NONE,
    ...(license === undefined || isExpression ? {} : { licenseComments: `declared as: ${license}` }),
    copyrightText: NONE,
  };
}

function urlOf(purl: string): object {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl };
}
