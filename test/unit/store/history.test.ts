import assert from 'node:assert/strict'
import {test} from 'node:test'
import {
  ancestors,
  type History,
  layersOf,
  newHistory,
  parseHistory,
  presentLayers,
  type Snapshot,
  withCopiedSnapshot,
  withNamed,
  withoutSnapshots,
  withRestored,
  withSnapshot,
} from '../../../src/store/history.js'
import {isLayerId, type LayerId} from '../../../src/store/layers.js'

const NOW = new Date('2026-01-02T12:00:00.000Z')

function layer(letter: string): LayerId {
  const id = `e${letter.repeat(31)}`
  assert.ok(isLayerId(id))
  return id
}

const [base, a, b, c, d] = [layer('0'), layer('a'), layer('b'), layer('c'), layer('d')]
const start = newHistory(base, a)
const naming = (label: string) => ({label, kind: 'manual', name: 'play'}) as const
const first = withSnapshot(start, naming('first'), {now: NOW, fresh: b})
const second = withSnapshot(first, naming('second'), {now: NOW, fresh: c})

function found(history: History, label: string): Snapshot {
  const snapshot = history.snapshots.find((each) => each.label === label)
  assert.ok(snapshot !== undefined)
  return snapshot
}

function goBack(history: History, target: Snapshot, {isUpperEmpty = false} = {}): History {
  return withRestored(history, target, {
    naming: {label: 'kept', name: 'play'},
    isUpperEmpty,
    now: NOW,
    fresh: d,
  })
}

test('a snapshot puts the upper layer down under an empty one', () => {
  assert.deepEqual(first, {
    layers: [base, a],
    upper: b,
    snapshots: [{label: 'first', kind: 'manual', name: 'play', createdAt: NOW, layers: [base, a]}],
    after: 'first',
  })
  assert.equal(found(second, 'second').after, 'first')
})

test('a snapshot of what changed nothing is a name alone', () => {
  const named = withNamed(first, naming('same'), {now: NOW})
  assert.deepEqual([named.layers, named.upper], [first.layers, first.upper])
  assert.deepEqual(found(named, 'same').layers, [base, a])
})

test('a copy of the upper layer is no part of the present stack', () => {
  const copied = withCopiedSnapshot(first, naming('live'), {now: NOW, copy: c})
  assert.deepEqual([copied.layers, copied.upper], [[base, a], b])
  assert.deepEqual(found(copied, 'live').layers, [base, a, c])
})

test('a copy stands on what lay below when it was made', () => {
  const copied = withCopiedSnapshot(second, naming('live'), {now: NOW, copy: d, before: first})
  assert.deepEqual(found(copied, 'live').layers, [base, a, d])
})

test('going back keeps what was there, under a new empty layer', () => {
  const back = goBack(second, found(second, 'first'))
  assert.deepEqual([back.layers, back.upper, back.after], [[base, a], d, 'first'])
  assert.deepEqual(found(back, 'kept'), {
    label: 'kept',
    kind: 'replaced',
    name: 'play',
    createdAt: NOW,
    layers: [base, a, b, c],
    after: 'second',
  })
})

test('going back from a state that a snapshot has keeps no second one', () => {
  const back = goBack(second, found(second, 'first'), {isUpperEmpty: true})
  assert.deepEqual(
    back.snapshots.map(({label}) => label),
    ['first', 'second'],
  )
})

test('going back to a snapshot that is to be adds it', () => {
  const initial: Snapshot = {label: 'initial', kind: 'initial', createdAt: NOW, layers: [base, d]}
  const back = goBack(first, initial)
  assert.deepEqual(
    back.snapshots.map(({label}) => label),
    ['first', 'initial', 'kept'],
  )
})

test('the present is followed back from snapshot to snapshot', () => {
  assert.deepEqual(
    ancestors(second).map(({label}) => label),
    ['second', 'first'],
  )
  const elsewhere = withSnapshot(goBack(second, found(second, 'first')), naming('third'), {
    now: NOW,
    fresh: layer('f'),
  })
  assert.deepEqual(
    ancestors(elsewhere).map(({label}) => label),
    ['third', 'first'],
  )
})

test('a circle in a file does not hold up who follows it', () => {
  const circle = {...second, snapshots: second.snapshots.map((each) => ({...each, after: 'second'}))}
  assert.deepEqual(
    ancestors(circle).map(({label}) => label),
    ['second'],
  )
  assert.deepEqual(withoutSnapshots(circle, new Set(['first', 'second'])).snapshots, [])
})

test('a snapshot that is forgotten hands on where it came from', () => {
  const third = withSnapshot(second, naming('third'), {now: NOW, fresh: d})
  const left = withoutSnapshots(third, new Set(['second']))
  assert.equal(found(left, 'third').after, 'first')
  const none = withoutSnapshots(third, new Set(['first', 'second', 'third']))
  assert.deepEqual([none.snapshots, 'after' in none, none.layers], [[], false, third.layers])
})

test('every layer of the present and of snapshots is named', () => {
  const back = goBack(second, found(second, 'first'))
  assert.deepEqual([...layersOf(back)].sort(), [base, a, b, c, d].sort())
  assert.deepEqual(presentLayers(back, {isUpperEmpty: true}), [base, a])
})

test('a history is read as it was written', () => {
  const json = JSON.stringify({schemaVersion: 1, ...goBack(second, found(second, 'first'))})
  assert.deepEqual(parseHistory(json, 'history.json'), goBack(second, found(second, 'first')))
  const old = JSON.stringify({schemaVersion: 1, ...start})
  assert.deepEqual(parseHistory(old, 'history.json'), start)
})

test('a history of a newer version is refused, and so is one that is damaged', () => {
  const json = JSON.parse(JSON.stringify(start))
  for (const [change, why] of [
    [{schemaVersion: 2}, 'a newer envs wrote it: its schemaVersion is 2, and this envs reads up to 1'],
    [{layers: []}, 'layers.0 is missing'],
    [{upper: '../elsewhere'}, 'upper is not the name of a layer'],
  ] as const) {
    assert.throws(() => parseHistory(JSON.stringify({...json, ...change}), 'history.json'), {
      code: 'ENVS_HISTORY_UNREADABLE',
      exitCode: 8,
      message: `Could not read the history "history.json": ${why}.`,
    })
  }
})
