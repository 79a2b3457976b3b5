import assert from 'node:assert/strict'
import {test} from 'node:test'
import {foldFiles} from '../../../../src/cli/views/diff.js'

const file = (path: string, change = 'added', kind = 'file') => ({path, change, kind, package: null})
const shown = (files: Parameters<typeof foldFiles>[0]) =>
  foldFiles(files).map(({path, inside}) => [path, inside])

test('what came with its folder is told of with it', () => {
  assert.deepEqual(
    shown([file('/opt/x', 'added', 'folder'), file('/opt/x/a'), file('/opt/x/b/c'), file('/opt/xy')]),
    [
      ['/opt/x', 2],
      ['/opt/xy', undefined],
    ],
  )
})

test('what changed in a folder that was there is told of by itself', () => {
  assert.deepEqual(shown([file('/opt/x', 'changed', 'folder'), file('/opt/x/a', 'changed')]), [
    ['/opt/x', undefined],
    ['/opt/x/a', undefined],
  ])
})

test('what went from a folder that came in the place of a file is told of', () => {
  assert.deepEqual(shown([file('/opt/x', 'removed', 'folder'), file('/opt/x/a', 'added')]).length, 2)
})

test('many files of one folder to which the same happened are told of together', () => {
  const many = Array.from({length: 11}, (_, index) => file(`/etc/certs/${index}`))
  assert.deepEqual(shown([...many, file('/etc/certs/own', 'changed'), file('/etc/z')]), [
    ['/etc/certs/', 11],
    ['/etc/certs/own', undefined],
    ['/etc/z', undefined],
  ])
})

test('ten are told of one by one', () => {
  assert.equal(shown(Array.from({length: 10}, (_, index) => file(`/etc/certs/${index}`))).length, 10)
})
