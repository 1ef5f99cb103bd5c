"""Where to begin: `python -m hyperlib`."""

ENTRIES = """hyperlib is the library of the Hyper-Representations companion. Where to begin:

the book, in the folder of the clone
  make help                            all commands; `make book` makes the book
  python -m hyperlib.press.build -h    the same without make

the library, in Python
  from hyperlib import grid, load_images, small_cnn, train_population
  zoo = train_population(small_cnn(), load_images("mnist5k"), grid(seeds=20), epochs=5)
  print(zoo.table)                     book/your_own_networks.md goes on from here
  open_zoo, export_zoo                 zoos that others published, in whatever form
  magnitude_twins, variational_twins   sparse twins of a zoo

zoos and representations that were made
  python -m hyperlib.store.store list  what is there; with -h how to free its space
"""

if __name__ == "__main__":
    print(ENTRIES, end="")
