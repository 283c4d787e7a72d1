// What a script finds around it. Runs before the script and keeps what it needs, so that nothing the
// script does to `JSON`, `Promise` or `Object.prototype` changes what is asked of the host.
(function (host, log, facts) {
  'use strict';
  const { parse, stringify } = JSON;
  const { freeze } = Object;
  const { apply } = Reflect;
  const Failure = Error;
  const Text = String;

  const ask = async (what, argument) => {
    const text = stringify(argument);
    const answer = parse(host(what, text === undefined ? 'null' : text));
    if (answer[0]) return answer[1];
    const failure = new Failure(answer[1]);
    failure.type = answer[2];
    throw failure;
  };
  const group = (name) =>
    freeze({
      __proto__: null,
      getById: (id) => ask(name + '.getById', id),
      create: (fields) => ask(name + '.create', fields),
      getOrCreate: (fields) => ask(name + '.getOrCreate', fields),
    });
  const print = (...values) => {
    let line = '';
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      let text;
      try {
        text = typeof value === 'object' && value !== null ? stringify(value) : Text(value);
      } catch {
        text = '(cannot be shown)';
      }
      line += (i ? ' ' : '') + text;
    }
    log(line);
  };
  globalThis.console = { log: print, info: print, warn: print, error: print, debug: print };

  const ctx = freeze({
    __proto__: null,
    bp: freeze({ __proto__: null, conversations: group('conversations'), users: group('users') }),
    ...parse(facts),
  });
  return async (owner, wanted, id) => apply(wanted, owner, [ctx, id]);
});
