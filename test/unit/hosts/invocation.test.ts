import assert from 'node:assert/strict'
import {test} from 'node:test'
import {childSeconds, childSecondsOf, runProgram} from '../../../hosts/invocation.js'

test('the processor time of ended children is the sum of two fields, after a name that may have blanks', () => {
  const fields = Array.from({length: 52}, (_, index) => String(index + 1))
  const stat = [...['4711', '(a b) c)'], ...fields.slice(2)].join(' ')
  assert.equal(childSecondsOf(stat), (16 + 17) / 100)
})

test('a program that has ended counts among the children', async () => {
  const before = await childSeconds()
  const signal = new AbortController().signal
  await runProgram(['perl', '-e', 'while ((times)[0] < 0.05) {}'], {signal})
  assert.ok((await childSeconds()) >= before + 0.05)
})
