module.exports = {
  testRegex: 'src/.*\\.spec\\.ts$',
  transform: {
    '\\.ts$': [
      'ts-jest',
      {
        tsconfig: {
          esModuleInterop: true,
          isolatedModules: true,
          module: 'commonjs',
          target: 'ES2020'
        }
      }
    ]
  }
};
