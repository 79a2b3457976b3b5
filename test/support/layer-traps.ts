import {device, dir, fifo, gone, hard, layer, layerWithoutEnd, link, opaque, put} from './image-layers.js'

/** Layers that readers of images take differently. */
export type Trap = {
  readonly layers: readonly Buffer[]
  readonly workingFolder?: string
  /** What a guest of the identity mapped sees; without the root folder where that is 0755. */
  readonly expected: Readonly<Record<string, string>>
}

const D = 'd 755 0:0'
const f = (content: string): string => `f 644 0:0 ${JSON.stringify(content)}`

/** Each with the expectation of the specification, which is not always what Docker and podman do: decision 56. */
export const TRAPS: Readonly<Record<string, Trap>> = {
  'a whiteout removes a file': {
    layers: [layer(put('a', '1'), put('b', '2')), layer(gone('a'))],
    expected: {b: f('2')},
  },
  'an opaque folder hides what is below, its mark first': {
    layers: [
      layer(dir('d'), put('d/x', '1'), dir('d/s'), put('d/s/y', '1')),
      layer(dir('d'), opaque('d'), put('d/z', '2')),
    ],
    expected: {d: D, 'd/z': f('2')},
  },
  'an opaque folder hides what is below, its mark last': {
    layers: [layer(dir('d'), put('d/x', '1')), layer(dir('d'), put('d/z', '2'), opaque('d'))],
    expected: {d: D, 'd/z': f('2')},
  },
  'an opaque mark without an entry of its folder keeps the look of the folder': {
    layers: [layer(dir('d', {mode: 0o750}), put('d/x', '1')), layer(opaque('d'), put('d/z', '2'))],
    expected: {d: 'd 750 0:0', 'd/z': f('2')},
  },
  'a whiteout before a folder of the same layer hides the old entries': {
    layers: [layer(dir('d'), put('d/x', '1')), layer(gone('d'), dir('d'), put('d/z', '2'))],
    expected: {d: D, 'd/z': f('2')},
  },
  'a whiteout after a folder of the same layer hides the old entries too': {
    layers: [layer(dir('d'), put('d/x', '1')), layer(dir('d'), put('d/z', '2'), gone('d'))],
    expected: {d: D, 'd/z': f('2')},
  },
  'a whiteout before a file of the same layer': {
    layers: [layer(put('a', '1')), layer(gone('a'), put('a', '2'))],
    expected: {a: f('2')},
  },
  'a whiteout after a file of the same layer': {
    layers: [layer(put('a', '1')), layer(put('a', '2'), gone('a'))],
    expected: {a: f('2')},
  },
  'folders without an entry look as the layer below has them': {
    layers: [
      layer(dir('tmp', {mode: 0o1777}), dir('srv', {mode: 0o750, uid: 5, gid: 6}), put('srv/x', '1')),
      layer(put('tmp/f', '2'), put('srv/new/f', '3')),
    ],
    expected: {
      srv: 'd 750 5:6',
      'srv/new': D,
      'srv/new/f': f('3'),
      'srv/x': f('1'),
      tmp: 'd 1777 0:0',
      'tmp/f': f('2'),
    },
  },
  'a folder that is only implied hides a symlink, as Docker does it': {
    layers: [
      layer(dir('usr'), dir('usr/lib'), put('usr/lib/x', '1'), link('lib', 'usr/lib')),
      layer(put('lib/y', '2')),
    ],
    expected: {lib: D, 'lib/y': f('2'), usr: D, 'usr/lib': D, 'usr/lib/x': f('1')},
  },
  'a folder with an entry hides a symlink': {
    layers: [
      layer(dir('usr'), dir('usr/lib'), put('usr/lib/x', '1'), link('lib', 'usr/lib')),
      layer(dir('lib'), put('lib/y', '2')),
    ],
    expected: {lib: D, 'lib/y': f('2'), usr: D, 'usr/lib': D, 'usr/lib/x': f('1')},
  },
  'a hard link to a file of the layer below': {
    layers: [layer(put('a', '1', {uid: 7})), layer(hard('b', 'a'))],
    expected: {a: 'f 644 7:0 "1"', b: 'f 644 7:0 = a'},
  },
  'a hard link to a file that the same layer removes': {
    layers: [layer(put('a', '1')), layer(gone('a'), hard('b', 'a'))],
    expected: {b: f('1')},
  },
  'a hard link outlives its first name': {
    layers: [layer(put('a', '1'), hard('b', 'a')), layer(gone('a'))],
    expected: {b: f('1')},
  },
  'a changed name leaves the other names of the file': {
    layers: [layer(put('a', '1'), hard('b', 'a')), layer(put('a', '22'))],
    expected: {a: f('22'), b: f('1')},
  },
  'a folder replaces a file': {
    layers: [layer(put('a', '1')), layer(dir('a'), put('a/x', '2'))],
    expected: {a: D, 'a/x': f('2')},
  },
  'a file replaces a folder, and a folder the file': {
    layers: [layer(dir('a'), put('a/x', '1')), layer(put('a', '2')), layer(dir('a'), put('a/y', '3'))],
    expected: {a: D, 'a/y': f('3')},
  },
  'a symlink replaces a folder': {
    layers: [layer(dir('a'), put('a/x', '1')), layer(link('a', '/nowhere'))],
    expected: {a: 'l 0:0 -> /nowhere'},
  },
  'a whiteout of what is not there leaves no name': {
    layers: [layer(put('a', '1')), layer(gone('nope'), dir('new'), gone('new/nope'), put('new/x', '1'))],
    expected: {a: f('1'), new: D, 'new/x': f('1')},
  },
  'a whiteout in a folder that is not there makes no folder': {
    layers: [layer(put('a', '1')), layer(gone('void/x'))],
    expected: {a: f('1')},
  },
  'a whiteout in an opaque folder': {
    layers: [
      layer(dir('d'), put('d/x', '1'), put('d/y', '1')),
      layer(dir('d'), opaque('d'), gone('d/x'), put('d/z', '2')),
    ],
    expected: {d: D, 'd/z': f('2')},
  },
  'an opaque root removes all': {
    layers: [layer(put('a', '1'), dir('d')), layer(opaque(''), put('b', '2'))],
    expected: {b: f('2')},
  },
  'hard links of AUFS': {
    layers: [
      layer(
        dir('.wh..wh.plnk', {mode: 0o700}),
        put('.wh..wh.plnk/11.12', 'linked'),
        hard('x', '.wh..wh.plnk/11.12'),
        hard('y', '.wh..wh.plnk/11.12'),
        put('.wh..wh.aufs', ''),
        dir('.wh..wh.orph'),
      ),
    ],
    expected: {x: f('linked'), y: 'f 644 0:0 = x'},
  },
  'a name that stands twice in a layer: the last one counts': {
    layers: [layer(put('a', '1'), dir('d', {mode: 0o700}), put('a', '22'), dir('d', {mode: 0o711}))],
    expected: {a: f('22'), d: 'd 711 0:0'},
  },
  'attributes of overlayfs have no effect': {
    layers: [
      layer(dir('d'), put('d/x', '1')),
      layer(
        dir('d', {attributes: {'user.overlay.opaque': 'y'}}),
        put('d/z', '2', {attributes: {'user.overlay.redirect': '/d/x', 'trusted.overlay.redirect': '/d/x'}}),
      ),
    ],
    expected: {d: D, 'd/x': f('1'), 'd/z': f('2')},
  },
  'a device 0:0 is no whiteout': {
    layers: [layer(put('a', '1'), put('b', '1')), layer(device('a', [0, 0]))],
    expected: {a: f('1'), b: f('1')},
  },
  'a device replaces a file, and a FIFO is made': {
    layers: [
      layer(dir('dev'), put('dev/null', 'x')),
      layer(device('dev/null', [1, 3]), fifo('p', {mode: 0o640})),
    ],
    expected: {dev: D, p: 'p 640 0:0'},
  },
  'spellings of names': {
    layers: [
      layer(
        dir('.', {mode: 0o711}),
        put('./a', '1'),
        put('/b', '2'),
        dir('d'),
        put('d//c', '3'),
        put('n\xc3\xa4me', '5'),
      ),
    ],
    expected: {'.': 'd 711 0:0', a: f('1'), b: f('2'), d: D, 'd/c': f('3'), 'n\xc3\xa4me': f('5')},
  },
  'mode and owner of the root': {
    layers: [
      layer(dir('.', {mode: 0o555})),
      layer(dir('.', {mode: 0o711, uid: 3}), put('a', '1')),
      layer(put('b', '1')),
    ],
    expected: {'.': 'd 711 3:0', a: f('1'), b: f('1')},
  },
  'owners, those beyond the range as nobody': {
    layers: [
      layer(
        put('a', '1', {uid: 1000, gid: 1000, mode: 0o4755}),
        put('big', '2', {uid: 300_000, gid: 70_000}),
        dir('s', {gid: 50, mode: 0o2775}),
      ),
    ],
    expected: {a: 'f 4755 1000:1000 "1"', big: 'f 644 65534:65534 "2"', s: 'd 2775 0:50'},
  },
  'a symlink to the root does not lead out of the tree': {
    layers: [layer(link('l', '/')), layer(put('l/etc/x', '1'))],
    expected: {l: D, 'l/etc': D, 'l/etc/x': f('1')},
  },
  'a folder that its owner may not enter': {
    layers: [layer(dir('d', {mode: 0}), put('d/x', '1')), layer(put('d/y', '2'))],
    expected: {d: 'd 0 0:0', 'd/x': f('1'), 'd/y': f('2')},
  },
  'no end marker, no members, and no bytes': {
    layers: [layerWithoutEnd(put('a', '1')), layer(), Buffer.alloc(0)],
    expected: {a: f('1')},
  },
  'sixteen layers': {
    layers: Array.from({length: 16}, (_, index) =>
      layer(put(`f${index}`, String(index)), ...(index % 2 === 1 ? [gone(`f${index - 1}`)] : [])),
    ),
    expected: Object.fromEntries(
      Array.from({length: 8}, (_, index) => [`f${index * 2 + 1}`, f(String(index * 2 + 1))]),
    ),
  },
  'a working folder that no layer has': {
    layers: [layer(dir('srv', {mode: 0o700, uid: 7, gid: 8}))],
    workingFolder: '/srv/../srv/app/ä/',
    expected: {srv: 'd 700 7:8', 'srv/app': D, [Buffer.from('srv/app/ä').toString('latin1')]: D},
  },
  'a working folder through links of the image': {
    layers: [layer(link('srv', '/../../opt/./x'), dir('opt'))],
    workingFolder: 'srv/app',
    expected: {opt: D, 'opt/x': D, 'opt/x/app': D, srv: 'l 0:0 -> /../../opt/./x'},
  },
  'a working folder of which a part is a file, or a link to itself': {
    layers: [layer(put('srv', '1'), link('round', 'round'))],
    workingFolder: '/srv/app',
    expected: {srv: f('1'), round: 'l 0:0 -> round'},
  },
}
