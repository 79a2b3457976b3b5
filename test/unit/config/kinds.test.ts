import assert from 'node:assert/strict'
import {test} from 'node:test'
import {choice, folderUrl, imageReference, keyringList, scopedKeyrings} from '../../../src/config/schema.js'

for (const [text, value] of [
  ['https://mirror.example/ubuntu', 'https://mirror.example/ubuntu'],
  ['http://127.0.0.1:8080/a/', 'http://127.0.0.1:8080/a'],
  ['https://mirror.example//', 'https://mirror.example'],
  ['https://user:word@mirror.example/', 'https://user:word@mirror.example'],
  ['ftp://mirror.example/', undefined],
  ['file:///srv', undefined],
  ['mirror.example', undefined],
  ['https://', undefined],
  ['https://mirror.example/?a=b', undefined],
  ['https://mirror.example/#a', undefined],
  ['https://mirror.example/a b', undefined],
  ['https://mirror.example/\n', undefined],
  ['', undefined],
] as const) {
  test(`reads ${JSON.stringify(text)} as ${value === undefined ? 'no folder URL' : value}`, () => {
    assert.equal(folderUrl.parseText(text), value)
  })
}

for (const [text, value] of [
  ['https://m.example/debian=/a.gpg', ['https://m.example/debian=/a.gpg']],
  [
    'https://m.example/=/a.gpg:http://n.example:80/x/=/b/c d.gpg',
    ['https://m.example=/a.gpg', 'http://n.example:80/x=/b/c d.gpg'],
  ],
  ['https://m.example=/a:b=c.gpg:', ['https://m.example=/a:b=c.gpg']],
  ['', []],
  ['/a.gpg', undefined],
  ['https://m.example', undefined],
  ['https://m.example=a.gpg', undefined],
  ['https://m.example=/a.gpg:/b.gpg:https://n.example', undefined],
  ['ftp://m.example=/a.gpg', undefined],
  ['debian=/a.gpg', undefined],
  ['https://m.example/?a=/a.gpg', undefined],
] as const) {
  test(`reads ${JSON.stringify(text)} as ${JSON.stringify(value) ?? 'no list of keys'}`, () => {
    assert.deepEqual(keyringList.parseText(text), value)
  })
}

for (const [json, value] of [
  [['https://m.example/=/a'], ['https://m.example=/a']],
  [[], []],
  ['https://m.example=/a', undefined],
  [['/a'], undefined],
  [[1], undefined],
  [{}, undefined],
  [null, undefined],
] as const) {
  test(`reads the JSON ${JSON.stringify(json)} as ${JSON.stringify(value) ?? 'no list of keys'}`, () => {
    assert.deepEqual(keyringList.parseJson(json), value)
  })
}

test('a key has the scope that stands before it', () => {
  assert.deepEqual(scopedKeyrings(['https://m.example/debian=/keys/a.gpg']), [
    {below: 'https://m.example/debian', path: '/keys/a.gpg'},
  ])
})

test('takes one of its options, to the letter', () => {
  const kind = choice('auto', 'bwrap')
  assert.equal(kind.parseText('bwrap'), 'bwrap')
  assert.equal(kind.parseText('Bwrap'), undefined)
  assert.equal(kind.parseJson(1), undefined)
  assert.equal(kind.allowed, 'one of: auto, bwrap')
})

test('takes any word for an image, and no empty one', () => {
  assert.equal(imageReference.parseText('ubuntu:focal/cloud'), 'ubuntu:focal/cloud')
  assert.equal(imageReference.parseText(''), undefined)
  assert.equal(imageReference.parseText('a b'), undefined)
})
