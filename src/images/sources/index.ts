import {containers} from './containers.js'
import {local} from './local.js'
import {lxc} from './lxc.js'
import {packages} from './packages.js'
import type {ImageSource} from './source.js'
import {ubuntuBase} from './ubuntu-base.js'
import {ubuntuCloud} from './ubuntu-cloud.js'

/** Sources in the order in which they are asked: official and small ones first. */
export const SOURCES: readonly ImageSource[] = [ubuntuBase, ubuntuCloud, lxc, packages, containers, local]
