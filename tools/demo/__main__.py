"""python -m tools.demo"""

from tools.demo.build import main

if __name__ == "__main__":
    main()
