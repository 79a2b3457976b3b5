import assert from 'node:assert/strict'
import {test} from 'node:test'
import {readAhead} from '../../../../src/rootfs/debs/deb.js'

/** Counts the pieces that were asked for. */
function counted(pieces: readonly string[]): {source: AsyncIterable<Buffer>; asked: () => number} {
  let asked = 0
  const source = (async function* () {
    for (const piece of pieces) {
      asked++
      yield Buffer.from(piece)
    }
  })()
  return {source, asked: () => asked}
}

const aWhile = () => new Promise((resolve) => setImmediate(resolve))

async function textOf(bytes: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of bytes) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

test('what comes is read before anybody asks, and is whole then', async () => {
  const {source, asked} = counted(['one ', 'two ', 'three'])
  const ahead = readAhead(source)
  await aWhile()
  assert.equal(asked(), 3)
  assert.equal(await textOf(ahead), 'one two three')
})

test('no more is read than may be held, until some of it is taken', async () => {
  const {source, asked} = counted(['1234', '5678', '90', 'ab'])
  const ahead = readAhead(source, 8)
  await aWhile()
  assert.equal(asked(), 2)
  assert.equal(await textOf(ahead), '1234567890ab')
})

test('a source that uses its memory again is kept as it was', async () => {
  const memory = Buffer.alloc(1)
  const source = (async function* () {
    for (const letter of 'abc') {
      memory.write(letter)
      yield memory
    }
  })()
  assert.equal(await textOf(readAhead(source)), 'abc')
})

test("the source's failure comes behind what it gave before", async () => {
  const source = (async function* () {
    yield Buffer.from('first')
    throw new Error('broken')
  })()
  const ahead = readAhead(source)
  await aWhile()
  const seen: string[] = []
  await assert.rejects(async () => {
    for await (const piece of ahead) seen.push(String(piece))
  }, /broken/)
  assert.deepEqual(seen, ['first'])
})

test('a source that nobody wants is let go, also while it waits to be taken', async () => {
  let isOver = false
  const source = (async function* () {
    try {
      for (;;) yield Buffer.alloc(4)
    } finally {
      isOver = true
    }
  })()
  const ahead = readAhead(source, 8)
  await aWhile()
  await ahead.close()
  assert.equal(isOver, true)
})
