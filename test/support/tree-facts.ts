import {NO_ARCHIVES} from '../../src/rootfs/fixes/apt-sources.js'
import type {Facts} from '../../src/rootfs/fixes/fix.js'

/** Facts of an environment called play, for tests that care about none of them, or about those they replace. */
export const TREE_FACTS: Facts = {
  archives: NO_ARCHIVES,
  identity: 'emulated',
  machineId: '0123456789abcdef0123456789abcdef',
  name: 'play',
  syncFilter: '',
}
