import assert from 'node:assert/strict'
import {test} from 'node:test'
import {NO_MARKS, parseLayerMarks} from '../../../../src/rootfs/diff/layer-marks.js'

test('each folder has the marks of its number', () => {
  const [first, second] = parseLayerMarks('0\0opaque\0a/b\0' + '1\x000100\0usr/bin/ping\0', 2)
  assert.deepEqual([...(first?.opaque ?? [])], ['a/b'])
  assert.deepEqual([...(second?.capabilities ?? [])], [['usr/bin/ping', '0100']])
  assert.equal(second?.opaque.size, 0)
})

test('a record that was cut off is read over', () => {
  const [marks] = parseLayerMarks('0\0opaque\0whole\0' + '0\0opaque\0cut', 1)
  assert.deepEqual([...(marks?.opaque ?? [])], ['whole'])
})

test('a folder without marks has none', () => {
  assert.deepEqual(parseLayerMarks('', 1), [NO_MARKS])
})
