[
  line_length: 118,
  inputs: ["{mix,.formatter}.exs", "{lib,test,bench,examples,native}/**/*.{ex,exs}"]
]
