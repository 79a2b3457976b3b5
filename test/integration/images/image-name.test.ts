import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readCatalogue} from '../../../src/images/catalog/catalog.js'
import {imageName} from '../../../src/images/name.js'
import {parseImageName} from '../../../src/images/reference.js'

const options = {
  catalogue: await readCatalogue([]),
  architecture: 'amd64',
  now: new Date('2026-11-24T00:00:00Z'),
} as const

for (const [text, distribution, suite, version, variant, source] of [
  ['focal', 'ubuntu', 'focal', '20.04', undefined, undefined],
  ['20.04', 'ubuntu', 'focal', '20.04', undefined, undefined],
  ['Focal', 'ubuntu', 'focal', '20.04', undefined, undefined],
  ['ubuntu', 'ubuntu', 'resolute', '26.04', undefined, undefined],
  ['ubuntu:focal', 'ubuntu', 'focal', '20.04', undefined, undefined],
  ['ubuntu:20.04', 'ubuntu', 'focal', '20.04', undefined, undefined],
  ['ubuntu:focal/base', 'ubuntu', 'focal', '20.04', 'base', undefined],
  ['ubuntu:focal/cloud', 'ubuntu', 'focal', '20.04', 'cloud', undefined],
  ['ubuntu:20.04/minimal', 'ubuntu', 'focal', '20.04', 'minimal', undefined],
  ['ubuntu:stonking/daily', 'ubuntu', 'stonking', '26.10', 'daily', undefined],
  ['trixie', 'debian', 'trixie', '13', 'archive', undefined],
  ['13', 'debian', 'trixie', '13', 'archive', undefined],
  ['debian', 'debian', 'trixie', '13', 'archive', undefined],
  ['stable', 'debian', 'trixie', '13', 'archive', undefined],
  ['debian:trixie', 'debian', 'trixie', '13', 'archive', undefined],
  ['debian:stable', 'debian', 'trixie', '13', 'archive', undefined],
  ['debian:12/cloud', 'debian', 'bookworm', '12', 'cloud', undefined],
  ['debian:trixie/default', 'debian', 'trixie', '13', 'default', undefined],
  ['ubuntu:noble/archive', 'ubuntu', 'noble', '24.04', 'archive', undefined],
  ['noble/archive', 'ubuntu', 'noble', '24.04', 'archive', undefined],
  ['24.04/archive', 'ubuntu', 'noble', '24.04', 'archive', undefined],
  ['debian:sid', 'debian', 'sid', undefined, 'archive', undefined],
  ['lxc:debian/trixie', 'debian', 'trixie', '13', undefined, 'lxc'],
  ['lxc:debian/13', 'debian', 'trixie', '13', undefined, 'lxc'],
  ['lxc:ubuntu/20.04', 'ubuntu', 'focal', '20.04', undefined, 'lxc'],
  ['lxc:alpine/3.22', 'alpine', '3.22', undefined, undefined, 'lxc'],
  ['lxc:alpine/edge/cloud', 'alpine', 'edge', undefined, 'cloud', 'lxc'],
  ['lxc:fedora/13', 'fedora', '13', undefined, undefined, 'lxc'],
] as const) {
  test(`${text} is ${distribution} ${suite}${variant ? `, ${variant}` : ''}${source ? `, from ${source}` : ''}`, () => {
    assert.deepEqual(parseImageName(text, options), {
      distribution,
      suite,
      version,
      variant,
      source,
      architecture: 'amd64',
    })
  })
}

const SEARCH = 'See the images that exist: envs image search'

for (const [text, suggestions] of [
  ['focl', ['Did you mean focal?', SEARCH]],
  ['ubuntu:focl', ['Did you mean focal?', SEARCH]],
  ['ubuntu:focl/cloud', ['Did you mean ubuntu:focal/cloud?', SEARCH]],
  ['trixe', ['Did you mean trixie?', SEARCH]],
  ['nothing-like-it', [SEARCH]],
  ['ubuntu:trixie', ['Did you mean trixie?', SEARCH]],
  ['20.04.5', ['envs has no separate point releases: use 20.04 for the newest one.']],
  ['ubuntu:20.04.5', ['envs has no separate point releases: use 20.04 for the newest one.']],
  ['ubuntu:focal/clod', ['Did you mean ubuntu:focal/cloud?']],
  [
    'ubuntu:focal/desktop',
    ['base', 'minimal', 'cloud', 'daily', 'default', 'archive'].map(
      (variant) => `Did you mean ubuntu:focal/${variant}?`,
    ),
  ],
  [
    'alpine:3.22',
    [
      'Other distributions come from images.linuxcontainers.org: lxc:alpine/3.22',
      'See the images that exist: envs image search alpine',
      'To use the image of Docker Hub with that name: docker://alpine:3.22',
    ],
  ],
  [
    'ubunut:focal',
    [
      'Did you mean ubuntu:focal?',
      'Other distributions come from images.linuxcontainers.org: lxc:ubunut/focal',
      'See the images that exist: envs image search ubunut',
    ],
  ],
  [
    'fedora',
    [
      'Its images come from images.linuxcontainers.org, and have names such as lxc:fedora/RELEASE',
      'See its releases: envs image search fedora',
      'To use the image of Docker Hub with that name: docker://fedora',
    ],
  ],
  [
    'alpine',
    [
      'Its images come from images.linuxcontainers.org, and have names such as lxc:alpine/edge',
      'See its releases: envs image search alpine',
      'To use the image of Docker Hub with that name: docker://alpine',
    ],
  ],
  [
    'arch',
    [
      'Its images come from images.linuxcontainers.org, and have names such as lxc:archlinux/current',
      'See its releases: envs image search archlinux',
      'To use the image of Docker Hub with that name: docker://archlinux',
    ],
  ],
  ['constructor', [SEARCH]],
  ['lxc:debian', ['Name the distribution and its release: lxc:debian/trixie']],
  ['lxc:../trixie', [SEARCH]],
  ['lxc:debian/trixie/archive', ['Did you mean debian:trixie/archive?']],
  ['ubuntu:', [SEARCH]],
  ['ubuntu:focal/cloud/x', ['Did you mean ubuntu:focal/cloud?', SEARCH]],
  ['focal\u001b[2J', [SEARCH]],
] as const) {
  test(`${JSON.stringify(text)} is no image, and the nearest are told`, () => {
    assert.throws(() => parseImageName(text, options), {
      name: 'UnknownImageError',
      code: 'ENVS_UNKNOWN_IMAGE',
      exitCode: 3,
      suggestions,
    })
  })
}

for (const name of [
  'ubuntu:focal',
  'ubuntu:focal/base',
  'debian:trixie/archive',
  'ubuntu:noble/archive',
  'lxc:alpine/3.22',
  'lxc:debian/trixie/cloud',
]) {
  test(`${name} is a canonical name`, () => {
    assert.equal(imageName(parseImageName(name, options)), name)
  })
}
