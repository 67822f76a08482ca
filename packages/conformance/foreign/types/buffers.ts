// Compiled by test/client/types.test.ts: what needs the types of Node.

import { connect } from '@zebu/client';

const zk = await connect('zk');
const { data } = await zk.get('/a');
export const text: string = data.toString('utf8');
// @ts-expect-error: a Buffer is no number.
export const wrong: number = data;
