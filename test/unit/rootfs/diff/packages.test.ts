import assert from 'node:assert/strict'
import {test} from 'node:test'
import type {PresentPackage} from '../../../../src/apt/format/control.js'
import {comparePackages} from '../../../../src/rootfs/diff/packages.js'

function packages(versions: Readonly<Record<string, string>>): Map<string, PresentPackage> {
  return new Map(
    Object.entries(versions).map(([key, version]) => {
      const [name = '', architecture = 'amd64'] = key.split(':')
      return [
        `${name}:${architecture}`,
        {name, architecture, version, state: 'installed', conffiles: new Map()},
      ]
    }),
  )
}

test('packages are told of by what happened to them, each list by name', () => {
  const before = packages({same: '1', gone: '1', up: '1.9', down: '2', up2: '1~rc1'})
  const after = packages({same: '1', up: '1.10', down: '1', new: '3', also: '4', up2: '1'})
  assert.deepEqual(comparePackages(before, after), {
    added: [
      {name: 'also', architecture: 'amd64', version: '4', state: 'installed'},
      {name: 'new', architecture: 'amd64', version: '3', state: 'installed'},
    ],
    removed: [{name: 'gone', architecture: 'amd64', version: '1', state: 'installed'}],
    upgraded: [
      {name: 'up', architecture: 'amd64', from: '1.9', to: '1.10'},
      {name: 'up2', architecture: 'amd64', from: '1~rc1', to: '1'},
    ],
    downgraded: [{name: 'down', architecture: 'amd64', from: '2', to: '1'}],
  })
})

test('the same package of another architecture is another package', () => {
  const {added, upgraded} = comparePackages(packages({a: '1'}), packages({a: '1', 'a:i386': '2'}))
  assert.deepEqual([added.map(({architecture}) => architecture), upgraded], [['i386'], []])
})
