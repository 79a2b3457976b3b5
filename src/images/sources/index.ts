import {local} from './local.js'
import {lxc} from './lxc.js'
import {packages} from './packages.js'
import type {ImageSource} from './source.js'
import {ubuntuBase} from './ubuntu-base.js'
import {ubuntuCloud} from './ubuntu-cloud.js'

/** In the order they are asked: official and small first. */
export const SOURCES: readonly ImageSource[] = [ubuntuBase, ubuntuCloud, lxc, packages, local]
