/**
 * The rooms of the sources, from the lowest to the highest, and what each may import besides itself, Node's modules and
 * the packages below. Anything else is refused, so a new folder of src is closed until it has a line here.
 *
 * `.dependency-cruiser.mjs` enforces both lists; docs/architecture.md takes its table from them.
 */
export const ROOMS = {
  errors: [],
  host: ['errors'],
  compression: ['host', 'errors'],
  config: ['host', 'errors'],
  'images/signature': ['host', 'errors'],
  'apt/format': ['host', 'errors'],
  apt: ['apt/format', 'images/signature', 'compression', 'host', 'errors'],
  registry: ['config', 'host', 'errors'],
  'registry/trust': ['registry', 'config', 'host', 'errors'],
  images: ['registry', 'registry/trust', 'images/signature', 'compression', 'host', 'errors'],
  rootfs: ['apt/format', 'compression', 'host', 'errors'],
  sandbox: ['host', 'errors'],
  store: ['rootfs', 'sandbox', 'images', 'config', 'host', 'errors'],
  doctor: ['sandbox', 'host', 'errors'],
  features: ['doctor', 'store', 'sandbox', 'rootfs', 'images', 'apt', 'config', 'host', 'errors'],
  environments: [
    ...[
      'features',
      'doctor',
      'store',
      'sandbox',
      'rootfs',
      'images',
      'registry',
      'registry/trust',
      'images/signature',
      'apt',
      'apt/format',
    ],
    ...['config', 'host', 'errors'],
  ],
  'project/file': ['host', 'errors'],
  project: [
    ...[
      'project/file',
      'environments',
      'features',
      'store',
      'sandbox',
      'rootfs',
      'images',
      'images/signature',
      'config',
    ],
    ...['host', 'errors'],
  ],
  cli: [
    ...['project', 'project/file', 'environments', 'features', 'doctor', 'store', 'sandbox', 'images'],
    ...['registry', 'registry/trust', 'config', 'host'],
    'errors',
  ],
  commands: [
    'cli',
    'project',
    'project/file',
    'environments',
    'features',
    'doctor',
    'store',
    'sandbox',
    'images',
    'registry',
    'config',
    'host',
    'errors',
  ],
}

/** The folders that may import a package; `.` is all of them. */
export const DOORS = {
  '@oclif/core': ['cli'],
  listr2: ['cli'],
  'get-east-asian-width': ['cli'],
  'smol-toml': ['project/file'],
  conf: ['config'],
  tar: ['rootfs/tar', 'compression'],
  openpgp: ['images/signature'],
  'xz-decompress': ['compression'],
  fzstd: ['compression'],
  '@sigstore/bundle': ['registry/trust'],
  '@sigstore/protobuf-specs': ['registry/trust'],
  '@sigstore/verify': ['registry/trust'],
  got: ['host/http'],
  'http-proxy-agent': ['host/http'],
  'https-proxy-agent': ['host/http'],
  'damerau-levenshtein': ['host'],
  // The language of schemas: each stands beside what it describes.
  valibot: ['.'],
}
