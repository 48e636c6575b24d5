export { billOfMaterials, SBOM_FORMATS, type BillOfMaterials, type SbomFormat } from './bill-of-materials.ts';
