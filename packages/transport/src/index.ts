// The door of @zebu/transport: export from here what other packages may import.
export {};
