import { preset } from '@zebu/tsup-config';

// SOURCE_DATE_EPOCH makes a build repeatable.
const seconds = process.env.SOURCE_DATE_EPOCH;
const built = seconds === undefined ? new Date() : new Date(Number(seconds) * 1000);

export default preset({
  define: {
    ZEBU_BUILD_DATE: JSON.stringify(`${built.toISOString().slice(0, 16).replace('T', ' ')} UTC`),
  },
});
