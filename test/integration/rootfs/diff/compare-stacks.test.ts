import assert from 'node:assert/strict'
import {cp} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import {capture} from '../../../../src/host/process.js'
import {NO_MARKS} from '../../../../src/rootfs/diff/layer-marks.js'
import type {Layer, Order} from '../../../../src/rootfs/diff/merged.js'
import {type Change, compareStacks} from '../../../../src/rootfs/diff/stacks.js'
import {noOverlays, stackLayers} from '../../../support/stacked-layers.js'

/** Each change as a line: `added kind path`, or `path: what changed`. */
function compared(
  layers: readonly Layer[],
  before: Order,
  after: Order,
  {ownersCount = true} = {},
): string[] {
  const lines: string[] = []
  let unreadable = 0
  compareStacks(
    {layers, before, after},
    {
      ownersCount,
      onChange: (change) => lines.push(describe(change)),
      onUnreadable: () => unreadable++,
    },
  )
  assert.equal(unreadable, 0)
  return lines
}

function describe({path, before, after, aspects}: Change): string {
  if (before === undefined) return `added ${after?.kind} ${path}`
  return after === undefined ? `removed ${before.kind} ${path}` : `${path}: ${aspects.join(', ')}`
}

const BASE =
  'mkdir -p folder/inner etc; echo one >folder/file; echo two >folder/inner/file; ln -s a etc/link; echo x >etc/conf'

for (const {what, change, expected} of [
  {what: 'nothing', change: ':', expected: []},
  {what: 'a new file', change: 'echo >new', expected: ['added file new']},
  {what: 'a file that was removed', change: 'rm folder/file', expected: ['removed file folder/file']},
  {
    what: 'a folder that was removed, with all that was in it',
    change: 'rm -r folder',
    expected: [
      'removed folder folder',
      'removed file folder/file',
      'removed folder folder/inner',
      'removed file folder/inner/file',
    ],
  },
  {
    what: 'other content of the same length',
    change: 'echo ONE >folder/file',
    expected: ['folder/file: content'],
  },
  {what: 'the same content, written anew', change: 'cp folder/file f; mv f folder/file', expected: []},
  {what: 'another time', change: 'touch -d 2001-01-01 folder/file folder', expected: []},
  {what: 'another mode of a file', change: 'chmod 600 folder/file', expected: ['folder/file: mode']},
  {what: 'another mode of a folder', change: 'chmod 700 folder', expected: ['folder: mode']},
  {
    what: 'a link that leads elsewhere',
    change: 'ln -sfn b etc/link',
    expected: ['etc/link: target'],
  },
  {
    what: 'a folder in the place of a file',
    change: 'rm folder/file; mkdir folder/file; echo >folder/file/in',
    expected: ['folder/file: kind', 'added file folder/file/in'],
  },
  {
    what: 'a link in the place of a folder',
    change: 'rm -r folder/inner; ln -s /etc folder/inner',
    expected: ['folder/inner: kind', 'removed file folder/inner/file'],
  },
  {
    what: 'a folder that was made anew, which hides what was in it',
    change: 'rm -r folder; mkdir folder; echo one >folder/file; echo >folder/new',
    expected: ['removed folder folder/inner', 'removed file folder/inner/file', 'added file folder/new'],
  },
  {
    what: 'a FIFO, which is not waited for',
    change: 'rm etc/conf; mkfifo etc/conf',
    expected: ['etc/conf: kind'],
  },
  {
    what: 'a name that is no text',
    change: 'touch "$(printf \'odd\\377\\nx\')"',
    expected: ['added file odd\xff\nx'],
  },
] as const) {
  test(`of two layers, ${what} is told`, {skip: noOverlays, timeout: 30_000}, async (t) => {
    const {layers} = await stackLayers(t, BASE, change)
    assert.deepEqual(compared(layers, [0], [1, 0]), expected)
  })
}

test('going back is told the other way round', {skip: noOverlays}, async (t) => {
  const {layers} = await stackLayers(t, BASE, 'rm folder/file; echo >new; chmod 700 etc')
  assert.deepEqual(compared(layers, [1, 0], [0]), ['etc: mode', 'added file folder/file', 'removed file new'])
})

test('what came and went between two points is not told', {skip: noOverlays}, async (t) => {
  const scripts = [BASE, 'echo >new; rm folder/file; rm -r folder/inner', 'rm new; echo one >folder/file']
  const {layers} = await stackLayers(t, ...scripts)
  assert.deepEqual(compared(layers, [0], [2, 1, 0]), [
    'removed folder folder/inner',
    'removed file folder/inner/file',
  ])
})

test('two branches of one tree are compared with each other', {skip: noOverlays}, async (t) => {
  const {layers} = await stackLayers(
    t,
    BASE,
    'echo >left; echo 1 >both',
    'rm left; echo >right; echo 2 >both',
  )
  // Both stand on the first, as after going back to it.
  assert.deepEqual(compared(layers, [1, 0], [2, 0]), [
    'both: content',
    'removed file left',
    'added file right',
  ])
})

test('a folder that a middle layer made anew hides the lowest at both points', {
  skip: noOverlays,
}, async (t) => {
  const {layers} = await stackLayers(t, BASE, 'rm -r folder; mkdir folder', 'echo >folder/new')
  assert.deepEqual(compared(layers, [1, 0], [2, 1, 0]), ['added file folder/new'])
})

test('a folder behind a file that has come and gone shows nothing of before', {
  skip: noOverlays,
}, async (t) => {
  const {layers} = await stackLayers(t, BASE, 'rm -r folder; echo >folder', 'rm folder; mkdir folder')
  assert.deepEqual(compared(layers, [1, 0], [2, 1, 0]), ['folder: kind'])
  assert.deepEqual(compared(layers, [0], [2, 1, 0]), [
    'removed file folder/file',
    'removed folder folder/inner',
    'removed file folder/inner/file',
  ])
})

test('trees that share no layer are compared whole', {skip: noOverlays}, async (t) => {
  const {outside, layers} = await stackLayers(t, BASE)
  const copy = join(outside, 'copy')
  await cp(join(outside, 'layer0'), copy, {recursive: true, verbatimSymlinks: true})
  await capture(['sh', '-c', 'echo other >etc/conf; rm folder/file'], {cwd: copy})
  const both = [...layers, {folder: copy, marks: NO_MARKS}]
  assert.deepEqual(compared(both, [0], [1]), ['etc/conf: content', 'removed file folder/file'])
})

test('what is told of many changes is what two plain copies of the trees tell', {
  skip: noOverlays,
}, async (t) => {
  const many = 'for i in 1 2 3 4 5 6 7 8 9; do mkdir -p d$i/e; echo $i >d$i/f; echo $i >d$i/e/g; done'
  const changes = [
    'rm -r d1; mv d2/f d2/h; rm -r d3/e; mkdir d3/e; echo >d3/e/new; chmod 700 d4; ln d5/f d5/linked',
    'mkdir d1; echo >d1/x; rm d2/h; rm -r d3; echo >d3; cp -r d6 d10; rm -r d7; ln -s d6 d7',
    'rm d3; mkdir -p d3/e; echo 3 >d3/f; rm -r d10/e; mkdir d10/e; rm d7; mkdir d7; echo 7 >d7/f',
  ]
  const {layers} = await stackLayers(t, many, ...changes)
  const plain = await stackLayers(t, `${many}\n${changes.join('\n')}`)
  const [lowest] = layers
  const [whole] = plain.layers
  assert.ok(lowest !== undefined && whole !== undefined)
  const told = compared(layers, [0], [3, 2, 1, 0])
  assert.ok(told.length > 10)
  assert.deepEqual(told, compared([lowest, whole], [0], [1]))
})
