import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type History, newHistory, type Snapshot, withSnapshot} from '../../../src/store/history.js'
import {isLayerId, type LayerId} from '../../../src/store/layers.js'
import {mergeableRuns, planSquash, withSquashed} from '../../../src/store/squash.js'

const NOW = new Date('2026-01-02T12:00:00.000Z')

function layer(number: number): LayerId {
  const id = `m${number.toString(16).padStart(31, '0')}`
  assert.ok(isLayerId(id))
  return id
}

/** Layer 0 is the image's; each letter pushes one down: `a` with an automatic snapshot, `m` a manual one, `.` none. */
function stack(letters: string): History {
  let history = newHistory(layer(0), layer(1))
  for (const [index, letter] of [...letters].entries()) {
    const fresh = layer(index + 2)
    const kind = letter === 'a' ? 'automatic' : 'manual'
    history =
      letter === '.'
        ? {...history, layers: [...history.layers, history.upper], upper: fresh}
        : withSnapshot(history, {label: `${letter}${index + 1}`, kind}, {now: NOW, fresh})
  }
  return history
}

const numbers = (layers: readonly LayerId[]) => layers.map((id) => Number.parseInt(id.slice(1), 16))
const labels = ({snapshots}: History) => snapshots.map(({label}) => label)

for (const {letters, runs} of [
  {letters: '', runs: []},
  {letters: '.', runs: []},
  {letters: '...', runs: [[1, 2, 3]]},
  {
    letters: '.m..',
    runs: [
      [1, 2],
      [3, 4],
    ],
  },
  {letters: 'mmm', runs: []},
  {letters: 'm..a', runs: [[2, 3, 4]]},
]) {
  test(`of “${letters}” the layers between snapshots can be merged`, () => {
    assert.deepEqual(mergeableRuns(stack(letters)).map(numbers), runs)
  })
}

test('a snapshot that went another way parts the layers where it left', () => {
  const other: Snapshot = {
    ...{label: 'other', kind: 'replaced', createdAt: NOW},
    layers: [layer(0), layer(1), layer(2), layer(99)],
  }
  const history = {...stack('....'), snapshots: [other]}
  assert.deepEqual(mergeableRuns(history).map(numbers), [
    [1, 2],
    [3, 4],
  ])
})

test('one layer takes the place of the merged ones wherever they are', () => {
  const history = stack('.m..a')
  const [run] = mergeableRuns(history)
  assert.ok(run !== undefined)
  const squashed = withSquashed(history, run, layer(50))
  assert.deepEqual(numbers(squashed.layers), [0, 50, 3, 4, 5])
  assert.deepEqual(
    squashed.snapshots.map(({layers}) => numbers(layers)),
    [
      [0, 50],
      [0, 50, 3, 4, 5],
    ],
  )
})

test('layers between snapshots are merged first, for all stacks', () => {
  assert.deepEqual(planSquash(stack('a..a..a..'), 5)?.map(numbers), [
    [2, 3, 4],
    [5, 6, 7],
    [8, 9],
  ])
  assert.deepEqual(planSquash(stack('mmmm'), 5), [])
})

test('where snapshots need the layers, the lowest are merged for the present stack, and every snapshot stays', () => {
  for (const letters of ['aamam', 'mmmmm']) {
    const history = stack(letters)
    const [run, ...others] = planSquash(history, 4) ?? []
    assert.ok(run !== undefined)
    assert.deepEqual([numbers(run), others], [[1, 2, 3], []])
    const squashed = withSquashed(history, run, layer(50))
    assert.deepEqual(numbers(squashed.layers), [0, 50, 4, 5])
    assert.deepEqual(labels(squashed), labels(history))
    assert.deepEqual(
      squashed.snapshots.map(({layers}) => numbers(layers)),
      [
        [0, 1],
        [0, 1, 2],
        [0, 50],
        [0, 50, 4],
        [0, 50, 4, 5],
      ],
    )
  }
})

test('less than the layer of the image and another one is no stack', () => {
  assert.deepEqual(planSquash(stack('mmm'), 2)?.map(numbers), [[1, 2, 3]])
  assert.equal(planSquash(stack('mmm'), 1), undefined)
})
